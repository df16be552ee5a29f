// Remote is a service with net/http that asks a Latchkey server to verify tokens.
//
//	go run ./docs/examples/remote -latchkey http://127.0.0.1:8080 -addr 127.0.0.1:3000
//	curl -u 'anyname:TOKEN' http://127.0.0.1:3000/hello
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"time"

	"latchkey/client/guard"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:3000", "address to listen on")
	latchkey := flag.String("latchkey", "http://127.0.0.1:8080", "URL of the Latchkey server")
	flag.Parse()

	verifier, err := guard.NewRemote(*latchkey, guard.Options{CacheFor: 2 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/hello", guard.Require(verifier, "")(http.HandlerFunc(hello)))
	mux.Handle("/admin", guard.Require(verifier, "AdminScope")(http.HandlerFunc(hello)))
	server := &http.Server{Addr: *addr, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.ListenAndServe())
}

// hello greets the owner of the token.
func hello(w http.ResponseWriter, r *http.Request) {
	identity, _ := guard.IdentityFrom(r.Context())
	fmt.Fprintf(w, "Hello, %s, number %d\n", identity.Account, identity.UID)
}
