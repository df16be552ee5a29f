// Latchkey's pages work without this script. It adds buttons that show a password and copy a text,
// counts down to the token's expiry, converts times to the reader's time zone and rates new
// passwords. It sends no data.
"use strict";

(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const byID = (id) => document.getElementById(id);

  // announce makes screen readers read a text that only appears on the screen.
  function announce(text) {
    const region = byID("announce");
    region.textContent = "";
    setTimeout(() => { region.textContent = text; }, 50);
  }

  // Show and hide a password. The form hides it before it is sent, or browsers do not offer to save it.
  function setUpToggle(button) {
    const input = byID(button.dataset.toggle);
    const show = (on) => {
      input.type = on ? "text" : "password";
      button.firstElementChild.textContent = on ? "Hide" : "Show";
    };
    button.hidden = false;
    button.addEventListener("click", () => { show(input.type === "password"); });
    input.form.addEventListener("submit", () => { show(false); });
  }

  function setUpCapsLock(input) {
    const warning = byID(input.id + "-caps");
    const look = (event) => {
      if (!event.getModifierState) { return; }
      warning.textContent = event.getModifierState("CapsLock") ? "Caps Lock is on." : "";
      warning.hidden = warning.textContent === "";
    };
    input.addEventListener("keydown", look);
    input.addEventListener("keyup", look);
    input.addEventListener("blur", () => { warning.hidden = true; });
  }

  // Rate a new password with the server's own meter. The meter and its word list load when the user
  // starts to type.
  function setUpStrength(meter) {
    const input = byID(meter.dataset.strengthOf);
    const [name, advice] = all("[role=status]", meter);
    const minLength = Number(meter.dataset.minLength);
    const required = Number(meter.dataset.required);
    const related = JSON.parse(meter.dataset.related);
    const show = (element, text) => {
      if (element.textContent !== text) { element.textContent = text; }
    };
    let rule = null;
    const rate = () => {
      const fields = input.form.elements;
      const typed = [fields.account, fields.nickname].map((field) => field?.value ?? "");
      const short = [...input.value].length < minLength;
      const result = rule.measure(input.value, [...related, ...typed]);
      const weak = short || result.score < Math.max(required, 2);
      meter.hidden = input.value === "";
      meter.dataset.score = result.score;
      meter.dataset.refused = short || result.score < required;
      show(name, short ? "Too short" : rule.names[result.score]);
      show(advice, weak && !short ? result.advice : "");
      advice.hidden = advice.textContent === "";
    };
    const look = async () => {
      try {
        rule ??= await import("/static/strength.js");
      } catch {
        return; // the server still checks the password
      }
      rate();
    };
    all("input", input.form).forEach((field) => field.addEventListener("input", () => {
      if (input.value !== "" || rule) { look(); }
    }));
  }

  // Send a form only once, even if its button is pressed twice.
  function setUpForm(form) {
    const button = form.querySelector("button[data-busy]");
    const label = button.textContent;
    form.addEventListener("submit", (event) => {
      if (button.getAttribute("aria-disabled") === "true") {
        event.preventDefault();
        return;
      }
      button.setAttribute("aria-disabled", "true");
      button.textContent = button.dataset.busy;
    });
    addEventListener("pageshow", () => {
      button.removeAttribute("aria-disabled");
      button.textContent = label;
    });
  }

  // copyBySelection works on plain http, where scripts have no access to the clipboard.
  function copyBySelection(text) {
    const area = document.createElement("textarea");
    area.value = text;
    area.readOnly = true;
    area.className = "visually-hidden";
    document.body.append(area);
    const before = document.activeElement;
    area.select();
    let done = false;
    try {
      done = document.execCommand("copy");
    } catch {
      done = false;
    }
    area.remove();
    before?.focus({ preventScroll: true });
    return done;
  }

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return copyBySelection(text);
    }
  }

  // selectText opens the fold around the text and selects it, to be copied with the keyboard.
  function selectText(source) {
    const fold = source.closest("details");
    if (fold) { fold.open = true; }
    getSelection().selectAllChildren(source);
  }

  function setUpCopy(button) {
    const source = byID(button.dataset.copy);
    const label = button.firstElementChild;
    let back = 0;
    button.hidden = false;
    button.addEventListener("click", async () => {
      const done = await copy(source.textContent);
      if (!done) {
        selectText(source);
        announce("The text is selected. Copy it with the keyboard.");
        return;
      }
      announce("Copied: " + button.dataset.what);
      label.textContent = "Copied";
      button.classList.add("done");
      clearTimeout(back);
      back = setTimeout(() => {
        label.textContent = "Copy";
        button.classList.remove("done");
      }, 2000);
    });
  }

  function setUpTime(element) {
    const when = new Date(element.dateTime);
    const format = new Intl.DateTimeFormat("en-GB", {
      day: "numeric", month: "short", year: "numeric",
      hour: "2-digit", minute: "2-digit", timeZoneName: "short",
    });
    element.title = element.textContent;
    element.textContent = format.format(when);
  }

  // remaining returns the time left in the server's words (templates/remaining.go).
  function remaining(seconds) {
    const d = Math.floor(seconds / 86400);
    const h = Math.floor(seconds / 3600) % 24;
    const m = Math.floor(seconds / 60) % 60;
    const s = seconds % 60;
    if (d > 0) { return `${d} d ${h} h left`; }
    if (h > 0) { return `${h} h ${m} min left`; }
    if (m >= 10) { return `${m} min left`; }
    if (m > 0) { return `${m} min ${s} s left`; }
    return `${s} s left`;
  }

  // showExpired shows what applies after the token's expiry and keeps the keyboard focus.
  function showExpired() {
    const held = document.activeElement?.closest("[data-while=alive]");
    for (const part of all("[data-while]")) {
      part.hidden = part.dataset.while === "alive";
    }
    announce("Your token has expired.");
    if (held) { byID("over-sign-in").focus(); }
  }

  // Count by the server's clock, which data-now gives: the browser's clock may be wrong.
  function setUpCountdown(card) {
    const expires = Number(card.dataset.expires);
    const ahead = Number(card.dataset.now) - Date.now() / 1000;
    const text = byID("left");
    const meter = byID("meter");
    const soon = Number(card.dataset.soon);
    let warned = expires - Number(card.dataset.now) <= soon;
    const tick = () => {
      const rest = Math.ceil(expires - Date.now() / 1000 - ahead);
      if (rest <= 0) {
        clearInterval(timer);
        document.removeEventListener("visibilitychange", tick);
        showExpired();
        return;
      }
      const words = remaining(rest);
      if (text.textContent !== words) { text.textContent = words; }
      meter.value = rest;
      if (rest <= soon && !warned) {
        warned = true;
        card.classList.add("soon");
        byID("state").textContent = "Expires soon";
        announce("Your token expires soon: " + words);
      }
    };
    const timer = setInterval(tick, 1000);
    document.addEventListener("visibilitychange", tick);
    tick();
  }

  all("[data-toggle]").forEach(setUpToggle);
  all("input[type=password]").forEach(setUpCapsLock);
  all("[data-strength-of]").forEach(setUpStrength);
  all("form:has(button[data-busy])").forEach(setUpForm);
  all("[data-copy]").forEach(setUpCopy);
  all("time").forEach(setUpTime);
  all("[data-expires]").forEach(setUpCountdown);
})();
