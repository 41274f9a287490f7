// A receiver of webhooks. TLS is up to the proxy in front of it.
package main

import (
	"cmp"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sync"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

func main() {
	webhook, err := standardwebhooks.NewWebhook(os.Getenv("WEBHOOK_KEY"))
	if err != nil || os.Getenv("WEBHOOK_KEY") == "" {
		log.Fatal("WEBHOOK_KEY holds the key, whsec_…")
	}
	// In real life a table of the database that the work is written to, in the same transaction.
	var taken sync.Map

	http.HandleFunc("POST /hook", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			http.Error(w, "the body can't be read", http.StatusBadRequest)
			return
		}
		if err := webhook.Verify(body, r.Header); err != nil {
			http.Error(w, "not signed, or too old", http.StatusUnauthorized)
			return
		}
		// The id is signed, so it is believed only now.
		id := r.Header.Get("webhook-id")
		if _, again := taken.LoadOrStore(id, true); !again {
			fmt.Println("took", id) // the work
		}
		w.WriteHeader(http.StatusNoContent)
	})

	listener, err := net.Listen("tcp", "127.0.0.1:"+cmp.Or(os.Getenv("PORT"), "8080"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening on", listener.Addr())
	log.Fatal(http.Serve(listener, nil))
}
