// Local is a service with Echo that verifies tokens in its own process, with the data directory of
// a Latchkey server on the same machine.
//
//	go run ./docs/examples/local -data ./latchkey-data -addr 127.0.0.1:3000
//	curl -u 'anyname:TOKEN' http://127.0.0.1:3000/hello
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/http"
	"sync"

	"github.com/labstack/echo/v4"

	"latchkey/auth"
	"latchkey/client/guard"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:3000", "address to listen on")
	data := flag.String("data", "./latchkey-data", "data directory of the Latchkey server")
	flag.Parse()
	log.Fatal(serve(context.Background(), *addr, *data))
}

func serve(ctx context.Context, addr, data string) error {
	authority, store, err := auth.Open(ctx, data, auth.Options{})
	if err != nil {
		return err
	}
	defer store.Close() //nolint:errcheck // the service reads only
	ctx, stop := context.WithCancel(ctx)
	var follower sync.WaitGroup
	follower.Go(func() { authority.Run(ctx) }) // reads revocations within a tenth of a second
	defer follower.Wait()
	defer stop()

	verifier := auth.Local{Authority: authority}
	e := echo.New()
	e.HideBanner = true
	e.GET("/hello", hello, echo.WrapMiddleware(guard.Require(verifier, "")))
	e.GET("/admin", hello, echo.WrapMiddleware(guard.Require(verifier, "AdminScope")))
	return e.Start(addr)
}

// hello greets the user of the token.
func hello(c echo.Context) error {
	identity, _ := guard.IdentityFrom(c.Request().Context())
	return c.String(http.StatusOK,
		fmt.Sprintf("Hello, %s, number %d\n", identity.Account, identity.UID))
}
