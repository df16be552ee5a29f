package guard_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/labstack/echo/v4"

	"latchkey/client/guard"
	"latchkey/client/wire"
)

// startLatchkey starts a stand-in for a Latchkey server. It knows one token, "TOKEN", with the
// scope "read".
func startLatchkey() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, token, _ := r.BasicAuth()
		scope := r.URL.Query().Get("scope")
		switch {
		case token != "TOKEN":
			w.WriteHeader(http.StatusUnauthorized)
		case scope != "" && scope != "read":
			w.WriteHeader(http.StatusForbidden)
		default:
			wire.Identity{UID: 7, Account: "ann@example.com", Type: 100, Scope: "read",
				TokenID: "7-1795421052-0"}.SetHeaders(w.Header())
		}
	}))
}

// get sends a request with a token as the password, and prints the response.
func get(handler http.Handler, path, token string) {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.SetBasicAuth("anyname", token)
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	fmt.Print(w.Code, " ", w.Body)
}

// A service behind Latchkey: /reports/ is for tokens with the scope "read", /admin/ for those of
// administrators.
func Example() {
	latchkey := startLatchkey() // in practice, https://login.example.com
	defer latchkey.Close()

	verifier, err := guard.NewRemote(latchkey.URL, guard.Options{})
	if err != nil {
		log.Print(err)
		return
	}
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		identity, _ := guard.IdentityFrom(r.Context())
		fmt.Fprintf(w, "Hello, %s, number %d\n", identity.Account, identity.UID)
	})
	mux := http.NewServeMux()
	mux.Handle("/reports/", guard.Require(verifier, "read")(hello))
	mux.Handle("/admin/", guard.Require(verifier, "AdminScope")(hello))

	get(mux, "/reports/", "TOKEN")
	get(mux, "/reports/", "another")
	get(mux, "/admin/", "TOKEN")
	// Output:
	// 200 Hello, ann@example.com, number 7
	// 401 {"error_code":1002,"msg":"token is invalid","request":"GET /reports/"}
	// 403 {"error_code":1004,"msg":"forbidden, not in scope","request":"GET /admin/"}
}

// Behind a proxy that terminates TLS, and with revocations that count at once.
func ExampleNewRemote() {
	verifier, err := guard.NewRemote("https://login.example.com", guard.Options{
		CacheFor: -1, // ask for every request
		Secure:   true,
		Client: &http.Client{
			Timeout: time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error {
				return http.ErrUseLastResponse
			},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("/reports/", guard.Require(verifier, "read")(http.NotFoundHandler()))
}

// Echo takes middleware for net/http with echo.WrapMiddleware.
func ExampleRequire_echo() {
	latchkey := startLatchkey()
	defer latchkey.Close()
	verifier, err := guard.NewRemote(latchkey.URL, guard.Options{})
	if err != nil {
		log.Print(err)
		return
	}

	e := echo.New()
	reports := e.Group("/reports", echo.WrapMiddleware(guard.Require(verifier, "read")))
	reports.GET("/:id", func(c echo.Context) error {
		identity, _ := guard.IdentityFrom(c.Request().Context())
		return c.String(http.StatusOK, "Report "+c.Param("id")+" for "+identity.Account+"\n")
	})

	get(e, "/reports/3", "TOKEN")
	// Output:
	// 200 Report 3 for ann@example.com
}

// logging logs why a token could not be verified. The response does not say it.
type logging struct {
	guard.Verifier
	log *log.Logger
}

func (l logging) Verify(r *http.Request, scope string) (wire.Identity, error) {
	identity, err := l.Verifier.Verify(r, scope)
	if errors.Is(err, wire.ErrUnavailable) {
		l.log.Print(err)
	}
	return identity, err
}

// A Verifier in another: this one logs failures.
func ExampleVerifier() {
	latchkey := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(w, "a proxy in between")
	}))
	defer latchkey.Close()
	remote, err := guard.NewRemote(latchkey.URL, guard.Options{})
	if err != nil {
		log.Print(err)
		return
	}

	verifier := logging{remote, log.New(os.Stdout, "guard: ", 0)}
	get(guard.Require(verifier, "")(http.NotFoundHandler()), "/reports/", "TOKEN")
	// Output:
	// guard: temporarily unavailable, please try again: the server responded with status 502
	// 503 {"error_code":1102,"msg":"temporarily unavailable, please try again","request":"GET /reports/"}
}
