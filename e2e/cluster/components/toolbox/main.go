// Command toolbox is what tests run in pods: a client for each thing that a network may let through or stop.
// It ends with 0 when that went through, else says why not and ends with 1.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const usage = `usage:
  toolbox wait                  do nothing until told to end
  toolbox fetch URL             print what an HTTP server answers
  toolbox connect ADDRESS:PORT  open a TCP connection, and close it
  toolbox lookup NAME           print the IPv4 addresses of a name, a line each`

// limit is how long a network may stay silent before it counts as closed.
const limit = 3 * time.Second

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	switch {
	case len(args) == 1 && args[0] == "wait":
		end := make(chan os.Signal, 1)
		signal.Notify(end, syscall.SIGTERM)
		<-end
		return nil
	case len(args) == 2 && args[0] == "fetch":
		return fetch(ctx, args[1])
	case len(args) == 2 && args[0] == "connect":
		connection, err := new(net.Dialer).DialContext(ctx, "tcp", args[1])
		if err != nil {
			return err
		}
		return connection.Close()
	case len(args) == 2 && args[0] == "lookup":
		addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", args[1])
		for _, address := range addresses {
			fmt.Println(address.Unmap())
		}
		return err
	}
	return fmt.Errorf("%s", usage)
}

func fetch(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(os.Stdout, response.Body)
	return err
}
