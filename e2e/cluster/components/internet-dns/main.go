// Command internet-dns is the DNS server of the test clusters' internet. A test programs it at run time by writing
// files: it opens no port for that and needs no client.
//
//	internet-dns FOLDER
//
// FOLDER/NAME (a name in lower case, without the trailing dot) holds a JSON list of answers. The first query of a type
// (A, AAAA) gets the first answer, the second query the second, and so on; the last one repeats. Writing the file anew
// (by renaming a new one over it) starts again. A name without a file doesn't exist (NXDOMAIN). Every query is noted
// in FOLDER/.queries, a line each: `TYPE NAME`.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/miekg/dns"
)

const address = "198.51.100.53:53"

// answer is what one query gets. An empty one says that the name exists and has no address.
type answer struct {
	// Addresses are those of the name; an A query is told the IPv4 ones, an AAAA query the IPv6 ones.
	Addresses []netip.Addr `json:"addresses"`
	// CNAME, a name with its trailing dot, is put before the addresses, which then are those of that name.
	CNAME string `json:"cname"`
	// Rcode is the response code: NXDOMAIN, SERVFAIL, REFUSED…; NOERROR when absent.
	Rcode string `json:"rcode"`
	// Silent says to answer nothing at all.
	Silent bool `json:"silent"`
}

// server counts the queries for each file's contents.
type server struct {
	folder string
	mu     sync.Mutex
	asked  map[string]int
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: internet-dns FOLDER")
	}
	s := &server{folder: os.Args[1], asked: map[string]int{}}
	ended := make(chan error)
	for _, network := range []string{"udp", "tcp"} {
		go func() {
			ended <- (&dns.Server{Addr: address, Net: network, Handler: dns.HandlerFunc(s.serve)}).ListenAndServe()
		}()
	}
	log.Fatal(<-ended)
}

func (s *server) serve(w dns.ResponseWriter, query *dns.Msg) {
	if len(query.Question) != 1 {
		return
	}
	question := query.Question[0]
	a, err := s.next(question)
	if err != nil {
		log.Print(err)
		a = answer{Rcode: "SERVFAIL"}
	}
	if a.Silent {
		return
	}
	reply := compose(query, a)
	size := dns.MinMsgSize
	if option := query.IsEdns0(); option != nil {
		size = int(option.UDPSize())
		reply.SetEdns0(option.UDPSize(), false)
	}
	if w.RemoteAddr().Network() == "udp" {
		reply.Truncate(size)
	}
	if err := w.WriteMsg(reply); err != nil {
		log.Print(err)
	}
}

// next is the answer to this query of the question, by the file of its name.
func (s *server) next(question dns.Question) (answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := strings.TrimSuffix(strings.ToLower(question.Name), ".")
	kind := dns.TypeToString[question.Qtype]
	if err := s.note(kind + " " + name); err != nil {
		return answer{}, err
	}
	path := filepath.Join(s.folder, filepath.Base("/"+name))
	info, err := os.Stat(path)
	if os.IsNotExist(err) || err == nil && info.IsDir() {
		return answer{Rcode: "NXDOMAIN"}, nil
	} else if err != nil {
		return answer{}, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return answer{}, err
	}
	var answers []answer
	if err := json.Unmarshal(text, &answers); err != nil || len(answers) == 0 {
		return answer{}, fmt.Errorf("%s holds no list of answers: %w", path, err)
	}
	key := fmt.Sprint(kind, " ", path, " ", info.ModTime().UnixNano())
	n := s.asked[key]
	s.asked[key]++
	return answers[min(n, len(answers)-1)], nil
}

func (s *server) note(line string) error {
	file, err := os.OpenFile(filepath.Join(s.folder, ".queries"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = fmt.Fprintln(file, line)
	return err
}

// compose makes the reply, with a time to live of 0 so that nobody remembers it.
func compose(query *dns.Msg, a answer) *dns.Msg {
	reply := new(dns.Msg).SetReply(query)
	reply.Authoritative = true
	if code, known := dns.StringToRcode[a.Rcode]; known {
		reply.Rcode = code
	}
	question := query.Question[0]
	owner := question.Name
	if a.CNAME != "" {
		header := dns.RR_Header{Name: owner, Rrtype: dns.TypeCNAME, Class: dns.ClassINET}
		reply.Answer = append(reply.Answer, &dns.CNAME{Hdr: header, Target: a.CNAME})
		owner = a.CNAME
	}
	for _, address := range a.Addresses {
		header := dns.RR_Header{Name: owner, Rrtype: question.Qtype, Class: dns.ClassINET}
		switch {
		case question.Qtype == dns.TypeA && address.Is4():
			reply.Answer = append(reply.Answer, &dns.A{Hdr: header, A: address.AsSlice()})
		case question.Qtype == dns.TypeAAAA && address.Is6():
			reply.Answer = append(reply.Answer, &dns.AAAA{Hdr: header, AAAA: address.AsSlice()})
		}
	}
	return reply
}
