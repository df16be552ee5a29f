// This is the server's package auth/strength for the pages, line by line. It estimates how many
// guesses a password withstands, in whole tenths of a bit, so that both agree exactly.
const MAX_LENGTH = 100, MAX_ABOUT = 300;
const OTHER = 0, USED = 1, KNOWN = 2, PATTERN = 3;
const PIECE = 10, SINGLE = 33, MARK = 10, COST_KNOWN = 30, COST_WALK = 60;
const COST_YEAR = 60, COST_DATE = 150, COST_SIGNS = 20;

const ADVICE_USED = "This is close to one of the most common passwords and words. " +
  "Use a few unrelated words.";
const ADVICE_KNOWN = "This is close to the account, the nickname or the name of this site. " +
  "Use a few words that have nothing to do with them.";
const ADVICE_PATTERN = "Sequences, keyboard rows, repeats and dates are guessed first. " +
  "Add one or two unrelated words.";
const ADVICE_OTHER = "This is too easy to guess. Add another word or two.";

const ranks = new Map();
let longest = 0;
for (const word of "COMMON".split(" ")) {
  ranks.set(word, ranks.size + 1);
  longest = Math.max(longest, word.length);
}

// names are the names of the scores.
export const names = ["Very weak", "Weak", "Fair", "Good", "Strong"];

// measure estimates a password for a guesser who knows the texts in about: account, nickname, site.
export function measure(password, about) {
  const s = newSearch(password, about);
  words(s);
  sequences(s);
  walks(s);
  dates(s);
  const { tenths, covered, listed } = cheapest(s);
  switch (whole(s)) {
    case USED: return { score: 0, tenths, advice: ADVICE_USED };
    case KNOWN: return { score: 0, tenths, advice: ADVICE_KNOWN };
  }
  const score = [100, 200, 266, 333].filter((step) => tenths >= step).length;
  return { score, tenths, advice: advice(s.raw.length, covered, listed) };
}

function advice(n, covered, listed) {
  if (listed > 0 && listed <= 2 && covered[USED] * 4 >= n * 3) { return ADVICE_USED; }
  if (covered[KNOWN] > 0 && covered[KNOWN] * 2 >= n) { return ADVICE_KNOWN; }
  if (covered[PATTERN] > 0 && covered[PATTERN] * 2 >= n) { return ADVICE_PATTERN; }
  return ADVICE_OTHER;
}

const tenthsOf = (n) => 10 * (32 - Math.clz32(n));

// newText returns a function that slices a string by code points.
function newText(points) {
  const at = [0];
  let s = "";
  for (const point of points) {
    s += String.fromCodePoint(point);
    at.push(s.length);
  }
  return (from, to) => s.slice(at[from], at[to]);
}

const pointsOf = (s) => Array.from(s, (c) => c.codePointAt(0));

function newSearch(password, about) {
  const raw = pointsOf(password).slice(0, MAX_LENGTH);
  const known = knownWords(about);
  let window = longest;
  for (const word of known) { window = Math.max(window, pointsOf(word).length); }
  const piecesTo = Array.from({ length: raw.length + 1 }, () => []);
  return { known, window, raw, folded: raw.map(fold), piecesTo };
}

function offer(s, from, to, cost, kind) {
  s.piecesTo[to].push({ start: from, cost: PIECE + cost, kind });
}

function fold(point) {
  if (point < 0x590 && point !== 0x130) {
    return String.fromCodePoint(point).toLowerCase().codePointAt(0);
  }
  return point;
}

function single(point) {
  const marks = (point >= 0x300 && point <= 0x36f) || (point >= 0x200b && point <= 0x200d) ||
    (point >= 0xfe00 && point <= 0xfe0f) || (point >= 0x1f3fb && point <= 0x1f3ff);
  return marks ? MARK : SINGLE;
}

function capitals(s, from, to) {
  let upper = 0, lower = 0;
  for (let i = from; i < to; i++) {
    const point = s.raw[i];
    if (point !== s.folded[i]) {
      upper++;
    } else if ((point >= 0x61 && point <= 0x7a) || point >= 0x80) {
      lower++;
    }
  }
  const atEdge = s.raw[from] !== s.folded[from] || s.raw[to - 1] !== s.folded[to - 1];
  if (upper === 0) { return 0; }
  if (lower === 0 || (upper === 1 && atEdge)) { return 10; }
  return 10 + 10 * Math.min(upper, lower);
}

function cheapest(s) {
  const n = s.raw.length;
  const best = [0], last = [null], run = new Array(n + 1).fill(0);
  for (let end = 1; end <= n; end++) {
    best[end] = best[end - 1] + single(s.raw[end - 1]);
    last[end] = { start: end - 1, cost: 0, kind: OTHER };
    const consider = (p) => {
      const c = best[p.start] + p.cost, l = last[end];
      if (c < best[end] || (c === best[end] &&
          (p.start < l.start || (p.start === l.start && p.kind < l.kind)))) {
        best[end] = c;
        last[end] = p;
      }
    };
    s.piecesTo[end].forEach(consider);
    copies(s, end, run, consider);
  }
  const covered = [0, 0, 0, 0];
  let listed = 0;
  for (let end = n; end > 0; end = last[end].start) {
    covered[last[end].kind] += end - last[end].start;
    if (last[end].kind === USED) { listed++; }
  }
  return { tenths: best[n], covered, listed };
}

function whole(s) {
  const kinds = s.piecesTo[s.raw.length]
    .filter((p) => p.start === 0 && p.kind !== PATTERN).map((p) => p.kind);
  return kinds.length > 0 ? Math.min(...kinds) : OTHER;
}

function copies(s, end, run, consider) {
  let longest = 1;
  for (let distance = 1; distance < end; distance++) {
    if (s.folded[end - 1] !== s.folded[end - 1 - distance]) {
      run[distance] = 0;
      continue;
    }
    run[distance]++;
    for (; longest < run[distance]; longest++) {
      const cost = PIECE + tenthsOf(distance) + tenthsOf(longest + 1);
      consider({ start: end - longest - 1, cost, kind: PATTERN });
    }
  }
}

const SIGNS = "4@8(361!|0$5+72", LETTERS = "aabcegiiiossttz";

function letterOf(point, second) {
  const i = point < 0x80 ? SIGNS.indexOf(String.fromCodePoint(point)) : -1;
  if (i < 0) { return point; }
  return second && LETTERS[i] === "i" ? 0x6c : LETTERS.charCodeAt(i);
}

function words(s) {
  const n = s.raw.length;
  const first = s.folded.map((p) => letterOf(p, false));
  const plain = newText(s.folded), one = newText(first);
  const two = newText(s.folded.map((p) => letterOf(p, true)));
  const reversed = newText([...s.folded].reverse());
  for (let from = 0; from < n; from++) {
    for (let to = from + 2; to <= Math.min(n, from + s.window); to++) {
      const as = plain(from, to);
      word(s, as, from, to, 0);
      word(s, reversed(n - to, n - from), from, to, 10);
      const read = one(from, to);
      if (read === as) { continue; }
      let changed = 0;
      for (let i = from; i < to; i++) {
        if (first[i] !== s.folded[i]) { changed += 10; }
      }
      word(s, read, from, to, changed);
      const again = two(from, to);
      if (again !== read) { word(s, again, from, to, changed); }
    }
  }
}

function word(s, as, from, to, extra) {
  const rank = ranks.get(as);
  if (rank !== undefined) {
    offer(s, from, to, tenthsOf(rank) + extra + capitals(s, from, to), USED);
  }
  if (s.known.has(as)) {
    offer(s, from, to, COST_KNOWN + extra + capitals(s, from, to), KNOWN);
  }
}

function knownWords(about) {
  const found = new Set();
  const add = (word) => {
    const weight = pointsOf(word).reduce((sum, p) => sum + (p < 0x80 ? 1 : 2), 0);
    if (weight < 3) { return; }
    found.add(word);
    if (/^[0-9]+$/.test(word)) {
      for (let i = 1; i <= word.length - 6; i++) { found.add(word.slice(i)); }
    }
  };
  for (const text of ["latchkey", ...about]) {
    const whole = pointsOf(text).slice(0, MAX_ABOUT)
      .map((p) => String.fromCodePoint(fold(p))).join("");
    add(whole);
    whole.split(/[ @]/).forEach(add);
    whole.split(/[^0-9a-z\u0080-\u{10ffff}]/u).forEach(add);
  }
  return found;
}

function sequences(s) {
  const f = s.folded;
  for (let from = 0; from + 2 < f.length; from++) {
    const step = f[from + 1] - f[from];
    if (step === 0 || step > 5 || step < -5) { continue; }
    let cost = 47;
    if ([0x61, 0x7a, 0x30, 0x31, 0x39].includes(f[from])) {
      cost = 20;
    } else if (isDigit(f[from])) {
      cost = 33;
    }
    if (step < 0) { cost += 10; }
    if (step !== 1 && step !== -1) { cost += 20; }
    for (let to = from + 2; to < f.length && f[to] - f[to - 1] === step; to++) {
      offer(s, from, to + 1, cost + tenthsOf(to + 1 - from) + capitals(s, from, to + 1), PATTERN);
    }
  }
}

const isDigit = (point) => point >= 0x30 && point <= 0x39;

const ROWS = "qwertyuiop[] asdfghjkl;' zxcvbnm,./ 1234567890-= !@#$%^&*()_+ qwertzuiopü " +
  "asdfghjklöä yxcvbnm azertyuiop qsdfghjklm wxcvbn йцукенгшщзхъ фывапролджэ ячсмитьбю " +
  "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol. !qaz@wsx#edc$rfv%tgb^yhn&ujm 1q2w3e4r5t6y7u8i9o0p " +
  "q1w2e3r4t5y6u7i8o9p0 qazwsxedcrfvtgbyhnujmikolp qawsedrftgyhujikolp zaq1xsw2cde3vfr4 " +
  "147258369 741852963 789456123 159753";
const ALL_ROWS = [...ROWS.split(" "), ...[...ROWS].reverse().join("").split(" ")];

function walks(s) {
  const plain = newText(s.folded);
  for (let from = 0; from + 2 < s.folded.length; from++) {
    for (const row of ALL_ROWS) {
      for (let to = from + 3; to <= s.folded.length && row.includes(plain(from, to)); to++) {
        offer(s, from, to, COST_WALK + tenthsOf(to - from) + capitals(s, from, to), PATTERN);
      }
    }
  }
}

function dates(s) {
  const n = s.raw.length;
  for (let from = 0; from < n; from++) {
    const year = number(s, from, from + 4);
    if (year >= 1900 && year <= 2099) { offer(s, from, from + 4, COST_YEAR, PATTERN); }
    for (let to = from + 6; to <= Math.min(n, from + 10); to++) {
      if (isPlainDate(s, from, to)) { offer(s, from, to, COST_DATE, PATTERN); }
      if (isSignedDate(s, from, to)) { offer(s, from, to, COST_DATE + COST_SIGNS, PATTERN); }
    }
  }
}

// number parses one to four digits. It returns NaN for anything else.
function number(s, from, to) {
  if (to > s.raw.length || to - from < 1 || to - from > 4) { return NaN; }
  let n = 0;
  for (let i = from; i < to; i++) {
    if (!isDigit(s.raw[i])) { return NaN; }
    n = 10 * n + s.raw[i] - 0x30;
  }
  return n;
}

function isPlainDate(s, from, to) {
  switch (to - from) {
    case 6:
      return isDate(s, from, from + 2, from + 2, from + 4, from + 4, to);
    case 8:
      return isDate(s, from, from + 2, from + 2, from + 4, from + 4, to) ||
        isDate(s, from, from + 4, from + 4, from + 6, from + 6, to);
  }
  return false;
}

function isSignedDate(s, from, to) {
  for (let i = from + 1; i <= Math.min(from + 4, to - 4); i++) {
    const sign = s.raw[i];
    if (!".-/ _".includes(String.fromCodePoint(sign))) { continue; }
    for (let j = i + 2; j <= Math.min(i + 3, to - 2); j++) {
      if (s.raw[j] === sign && isDate(s, from, i, i + 1, j, j + 1, to)) { return true; }
    }
  }
  return false;
}

function isDate(s, a, b, c, d, e, f) {
  const x = number(s, a, b), y = number(s, c, d), z = number(s, e, f);
  if (Number.isNaN(x) || Number.isNaN(y) || Number.isNaN(z)) { return false; }
  return (isYear(z, f - e) && isDay(x, b - a, y, d - c)) ||
    (isYear(x, b - a) && isDay(z, f - e, y, d - c));
}

const isYear = (n, digits) => digits === 2 || (digits === 4 && n >= 1900 && n <= 2099);

function isDay(x, digitsX, y, digitsY) {
  return digitsX <= 2 && digitsY <= 2 && x >= 1 && y >= 1 && x <= 31 && y <= 31 &&
    (x <= 12 || y <= 12);
}
