//go:build e2e

package e2e_test

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"sync"
	"testing"
)

// hostileSeed is the seed of the random requests, so that every run sends the same ones.
const hostileSeed = 4

// hostileCount is the number of requests through each proxy.
const hostileCount = 1000

// TestProxiesHostile sends a thousand malformed or odd requests without a valid token through each
// proxy. None reaches the service, and Latchkey stays healthy.
func TestProxiesHostile(t *testing.T) {
	t.Parallel()
	for _, kind := range proxies {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			p := newProxyTest(t)
			p.proxy, p.stripsUnknown = kind.start(t, p.latchkey.URL, p.behind.URL), kind.stripsUnknown
			t.Logf("seed %d", hostileSeed)
			requests := hostileRequests(hostileSeed, hostileCount, tamper(p.token), p.expired)
			p.sendAll(t, requests)
			if strings.Contains(p.latchkey.out.String(), "panic") ||
				strings.Contains(p.latchkey.out.String(), "level=ERROR") {
				t.Errorf("Latchkey panicked or logged an error: %s", p.latchkey.out)
			}
			if !answered(p.latchkey.URL+"/healthz") || !answered(p.latchkey.URL+"/readyz") {
				t.Error("Latchkey is not healthy or not ready")
			}
			p.passes(t, "GET", "/after", "", bearer(p.token)) // shows that requests can reach the service
		})
	}
}

// sendAll sends raw requests and requires that none reaches the service.
func (p *proxyTest) sendAll(t *testing.T, requests []string) {
	t.Helper()
	var mu sync.Mutex
	statuses := map[string]int{}
	queue := make(chan string)
	var wait sync.WaitGroup
	for range 16 {
		wait.Go(func() {
			for raw := range queue {
				response := p.proxy.raw(t, raw)
				if strings.Contains(response, "behind") {
					t.Errorf("%.300q reached the service: %.300q", raw, response)
				}
				status, _, _ := strings.Cut(strings.TrimPrefix(response, "HTTP/1.1 "), " ")
				mu.Lock()
				statuses[fmt.Sprintf("%.4s", status)]++
				mu.Unlock()
			}
		})
	}
	for _, raw := range requests {
		queue <- raw
	}
	close(queue)
	wait.Wait()
	got, connections := p.behind.asked()
	if len(got) > 0 || connections > 0 {
		t.Errorf("the service got %q on %d connections, want none", got, connections)
	}
	t.Logf("%d requests, responses by status: %v", len(requests), statuses)
	if statuses["401"] < len(requests)/6 {
		t.Errorf("%d requests got 401 from Latchkey, want at least a sixth", statuses["401"])
	}
}

// hostileRequests returns n requests, each malformed or odd in some way. None has a valid token.
func hostileRequests(seed int64, n int, forged, expired string) []string {
	random := rand.New(rand.NewSource(seed))
	requests := oddShapes(forged)
	for len(requests) < n {
		raw := composed(random, forged, expired)
		if random.Intn(8) == 0 {
			raw = mutated(random, raw)
		}
		requests = append(requests, raw)
	}
	return requests[:n]
}

// mutated changes, removes or adds some bytes of a request.
func mutated(random *rand.Rand, raw string) string {
	b := []byte(raw)
	for range 1 + random.Intn(4) {
		at := random.Intn(len(b))
		odd := []byte{0, '\r', '\n', ' ', '\t', ':', 0x7f, 0x80, 0xff, '_', ',', ';', '%',
			byte(random.Intn(256))}
		switch c := odd[random.Intn(len(odd))]; random.Intn(3) {
		case 0:
			b[at] = c
		case 1:
			b = slices.Insert(b, at, c)
		default:
			b = slices.Delete(b, at, at+1)
		}
	}
	return string(b)
}

// composed builds a request of random parts, some of them odd.
func composed(random *rand.Rand, forged, expired string) string {
	one := func(list []string) string { return list[random.Intn(len(list))] }
	sometimes := func(normal string, list []string) string {
		if random.Intn(5) == 0 {
			return one(list)
		}
		return normal
	}
	end := sometimes("\r\n", []string{"\n", "\r\n"})
	target := sometimes("/x", oddTargets())
	if random.Intn(2) == 0 {
		target = one(oddTargets())
	}
	lines := []string{sometimes("GET", oddMethods()) + " " + target + " " +
		sometimes("HTTP/1.1", oddVersions()), sometimes("Host: app.example.com", oddHosts())}
	for range random.Intn(3) {
		lines = append(lines, one(oddCredentials(forged, expired)))
	}
	for range random.Intn(4) {
		lines = append(lines, one(oddHeaders()))
	}
	body := ""
	if random.Intn(5) == 0 {
		body = one([]string{"a", "0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n",
			"GET /smuggled HTTP/1.1\r\nHost: app.example.com\r\n\r\n",
			strings.Repeat("b", 4096)})
		lines = append(lines, one([]string{fmt.Sprintf("Content-Length: %d", len(body)),
			"Transfer-Encoding: chunked", "Content-Length: 0", "Content-Length: 1",
			fmt.Sprintf("Content-Length: %d\r\nTransfer-Encoding: chunked", len(body))}))
	}
	if random.Intn(2) == 0 {
		lines = append(lines, "Connection: close")
	}
	return strings.Join(lines, end) + end + end + body
}

// oddHosts, oddMethods, oddTargets, oddVersions, oddCredentials and oddHeaders are parts of
// requests, valid and malformed.
func oddHosts() []string {
	return []string{"Host: app.example.com:80", "Host: APP.EXAMPLE.COM", "Host: app.example.com.",
		"Host: login.example.com",
		"Host: 127.0.0.1", "Host: evil.example", "Host:", "Host:app.example.com", "host: app.example.com", "X: y"}
}

func oddMethods() []string {
	return []string{"GET", "GET", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH",
		"PROPFIND", "TRACE", "CONNECT", "get",
		"G\tET", "", "X", "PRI", "GETGETGETGETGETGETGETGETGETGETGET", "G-E-T", "M_X", "PURGE", "MKCOL", "\x00GET",
		"GET\x00", "\xffGET"}
}

func oddTargets() []string {
	return []string{"/", "/", "/x", "/../", "/..%2f", "/%2e%2e/", "/a/../../b", "//", "///x",
		"//evil.example/", "/./", "/%00", "/\x00",
		"/%0d%0aX-Auth-Uid:%201", "/%", "/%zz", "/%u0041", "/\xc0\xae", "/%c0%ae%c0%ae/", "/x y", "/x\ty", "/x#y", "#", "?",
		"/?", "x", "*",
		"http://app.example.com/", "http://evil.example/", "https://app.example.com/", "HTTP://APP.EXAMPLE.COM/x",
		"http://",
		"http://a@app.example.com/", "app.example.com:80", "file:///etc/passwd", "/_latchkey/", "/_latchkey/scope=x",
		"/v1/verify",
		"/v1/verify?login=redirect", "/@refused", "/%5flatchkey/", "/admin/", "/admin", "/ADMIN/", "/admin/..;/",
		"/x;/../admin/",
		"/\\..\\", "/x?scope=AdminScope", "/x?" + strings.Repeat("a=b&", 500), "/" +
			strings.Repeat("a", 7000),
		"/" + strings.Repeat("../", 300), "/" + strings.Repeat("%2f",
			900), "/healthz", "/static/app.css", "/login",
		"/x?login=redirect&scope=", "/.well-known/acme-challenge/x", "/\u202e", "/\"<>", "/{http.request.host}",
		"/$http_host"}
}

func oddVersions() []string {
	return []string{"HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0",
		"HTTP/0.9", "HTTP/2.0",
		"HTTP/1.9", "http/1.1", "HTTP/1.1 ", "HTTP/1", "HTTP/", "", "HTTPS/1.1", "HTTP/11.1", "HTTP/1.1\x00"}
}

func oddCredentials(forged, expired string) []string {
	user, expiredUser := basic(forged, ""), basic(expired, "")
	return []string{bearer(forged), user, expiredUser, bearer(expired), basic("admin", "admin"),
		"Authorization:", "Authorization: Basic",
		"Authorization: Bearer", "Authorization: Basic :", "Authorization: Basic Og==",
		"Authorization: Basic Og==, Basic Og==",
		"AUTHORIZATION: basic Og==", "Authorization : Bearer x", " Authorization: Bearer x", "Authorization\t: Bearer x",
		"Authorization: Bearer x\r\n y", "Authorization: Bearer x\r\n\ty: z",
		"Authorization: Bearer " + strings.Repeat("A", 7000),
		"Authorization: Basic " + strings.Repeat("QUFB", 1500), "Authorization: Bearer \x00",
		"Authorization: Bearer \xff\xfe",
		"Authorization: Digest username=\"x\"", "Authorization: Negotiate YII=", "Proxy-" + user,
		"Cookie: latchkey=" + forged,
		"Cookie: latchkey=; latchkey=" + forged, "Cookie: __Host-latchkey=" +
			forged, "Cookie: latchkey=\"" + forged + "\"",
		"Cookie: ;;;=;latchkey", "Cookie: " + strings.Repeat("a=b; ", 1000), "Cookie: latchkey=\x00",
		"Authorization: Bearer " + forged + "\x00",
		user + "\r\n" + expiredUser, bearer(forged) + "\r\n" + bearer(forged)}
}

func oddHeaders() []string {
	list := []string{"X-Original-URL: /healthz", "X-Original-Method: OPTIONS",
		"X-Rewrite-URL: /healthz", "X-Forwarded-Uri: /healthz",
		"X-Forwarded-Host: login.example.com", "X-Forwarded-Proto: https", "X-Forwarded-For: 127.0.0.1",
		"X-Forwarded-Method: OPTIONS",
		"X-HTTP-Method-Override: OPTIONS", "X-Accel-Redirect: /x", "X-Accel-Internal: 1", "Host: evil.example",
		"Host: app.example.com",
		"Content-Length: 0", "Content-Length: -1", "Content-Length: +0", "Content-Length: 0, 0",
		"Content-Length: 99999999999999999999",
		"Content-Length: 0x1", "Content-Length : 1", "Transfer-Encoding: chunked", "Transfer-Encoding: xchunked",
		"Transfer-Encoding: chunked, identity", "Transfer-Encoding : chunked", "Transfer-Encoding: \x0bchunked",
		"TE: trailers",
		"Trailer: X-Auth-Uid", "Expect: 100-continue", "Expect: x", "Upgrade: websocket\r\nConnection: Upgrade",
		"Upgrade: h2c",
		"HTTP2-Settings: AAMAAABkAAQAAP__", "Connection: X-Auth-Uid", "Connection: Authorization, Cookie",
		"Connection: keep-alive",
		"Range: bytes=0-0", "Accept: text/html", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Mode: cors",
		"Sec-Fetch-Dest: empty",
		"X-Requested-With: XMLHttpRequest", "Accept: text/html\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document",
		":", ": x",
		"no colon", " folded", "\tfolded", "X: y\r\n z", "X\x00: y", "X: \x00", "X: \xff", "X y: z",
		"X: " + strings.Repeat("z", 7900),
		strings.Repeat("X", 300) +
			": y", "(x): y", "{http.request.host}: x", "X: {env.PATH}", "X: $http_host",
		"Origin: null",
		"Access-Control-Request-Method: GET", "Forwarded: for=127.0.0.1", "Via: 1.1 x", "Max-Forwards: 0",
		"User-Agent: \x1b[2J"}
	list = append(list, slices.Repeat([]string{"X-Padding: y"}, 40)...)
	for _, name := range identityHeaders {
		list = append(list, name+": 1", strings.ToLower(name)+": 1",
			strings.ReplaceAll(name, "-", "_")+": 1", name+" : 1", name+"\x00: 1")
	}
	return append(list, strings.Join(identityHeaders, ": 1\r\n")+": 1")
}

// oddShapes are requests that are malformed as a whole.
func oddShapes(forged string) []string {
	const host = "Host: app.example.com\r\n"
	const get, post = "GET / HTTP/1.1\r\n" + host, "POST / HTTP/1.1\r\n" + host
	many := strings.Repeat("X-Padding: "+strings.Repeat("y", 50)+"\r\n", 2000)
	return append(smuggling(), []string{
		"GET /\r\n", "GET /\r\n\r\n", "GET / \r\n\r\n", "\r\n\r\nGET / HTTP/1.1\r\n" + host + "\r\n",
		"GET / HTTP/1.0\r\n\r\n", "\n", "\x00", " ", "GET",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"PROXY TCP4 127.0.0.1 127.0.0.1 1 1\r\nGET / HTTP/1.1\r\n" + host + "\r\n",
		"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\x7f\x00\x00\x01\x7f\x00\x00\x01\x00\x01\x00\x01",
		get + "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n" +
			"HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: app.example.com\r\nHost: login.example.com\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: login.example.com\r\nHost: app.example.com\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: app.example.com, evil.example\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: app.example.com/../\r\n\r\n", "GET / HTTP/1.1\r\nHost: \x00\r\n\r\n",
		"GET / HTTP/1.1\r\n\r\n", "GET http://login.example.com/ HTTP/1.1\r\n" + host + "\r\n",
		"GET http://app.example.com/ HTTP/1.1\r\nHost: login.example.com\r\n\r\n",
		get + many + "\r\n",
		get + "X: " + strings.Repeat("y", 2<<20) + "\r\n\r\n",
		"GET /" + strings.Repeat("a", 2<<20) + " HTTP/1.1\r\n" + host + "\r\n",
		get + "Authorization: Bearer\r\n " + forged + "\r\n\r\n",
		"GET / HTTP/1.1\r\n X: y\r\n" + host + "\r\n", get + "X: y\rX-Auth-Uid: 1\r\n\r\n",
		get + "X: y\nX-Auth-Uid: 1\n\n",
		get + "\r\n" +
			strings.Repeat("GET / HTTP/1.1\r\n"+host+bearer(forged)+"\r\n\r\n", 20),
		post + "Content-Length: 10\r\n\r\nabc", "GET /\xff HTTP/1.1\r\n" + host +
			"\r\n",
		get + "Authorization: \r\n\r\n",
	}...)
}

// smuggling are requests that hide a second request.
func smuggling() []string {
	const host = "Host: app.example.com\r\n"
	const get, post = "GET / HTTP/1.1\r\n" + host, "POST / HTTP/1.1\r\n" + host
	const hidden = "GET /smuggled HTTP/1.1\r\n" + host + "X-Auth-Uid: 1\r\n\r\n"
	length := fmt.Sprintf("Content-Length: %d\r\n", len(hidden))
	return []string{
		"CONNECT app.example.com:80 HTTP/1.1\r\n" + host + "\r\n" + hidden,
		"CONNECT 127.0.0.1:3000 HTTP/1.1\r\nHost: 127.0.0.1:3000\r\n\r\n" + hidden,
		"OPTIONS * HTTP/1.1\r\n" + host + "\r\n", "TRACE / HTTP/1.1\r\n" + host +
			"Max-Forwards: 0\r\n\r\n",
		post + length + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
		post + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n5c\r\n" +
			hidden + "\r\n0\r\n\r\n",
		post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n" + hidden,
		post + "Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
		post + "Transfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n" + hidden,
		post + "Transfer-Encoding: chunked\r\n\r\n0;x=\"\n\"\r\n\r\n" + hidden,
		post + "Transfer-Encoding: chunked\r\n\r\n0\r\nX-Auth-Uid: 1\r\n" +
			"Authorization: Bearer x\r\n\r\n",
		post + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff0\r\n",
		post + "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
		post + "Transfer-Encoding: chunked\r\n\r\n0\n\n" + hidden,
		"POST / HTTP/1.0\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
		post + "Content-Length: 0\r\n" + length + "\r\n" + hidden,
		post + length + "Content-Length: 0\r\n\r\n" + hidden,
		post + "Content-Length: 0\r\n\r\n" + hidden,
		get + length + "\r\n" + hidden,
		"HEAD / HTTP/1.1\r\n" + host + "\r\n" + hidden,
		post + "Expect: 100-continue\r\n" + length + "\r\n" + hidden,
		get + "Upgrade: websocket\r\nConnection: Upgrade\r\n" +
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n" + hidden,
	}
}
