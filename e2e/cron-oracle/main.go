// Command cron-oracle answers what the CronJob controller would do: it parses schedules as the API server does, and
// finds next times with the controller's own library, robfig/cron v3.
//
// It reads JSON Lines: {"zone", "tzif"} makes a time zone known under a name, from the bytes of a TZif file, so that
// both sides of a comparison use the same time zone database; {"schedule", "zone", "from", "count"} is a question,
// with from in Unix seconds. The answer is one line: {"next": [Unix seconds]}, {"error"}, or {"hang": true} when the
// library had no answer within the time limit. A search that hangs can't be stopped, so the program ends behind that
// line, with exit code 3, and whoever asks starts it again.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"log"
	"os"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

type question struct {
	Zone     string `json:"zone"`
	TZif     []byte `json:"tzif"`
	Schedule string `json:"schedule"`
	From     int64  `json:"from"`
	Count    int    `json:"count"`
}

type answer struct {
	Next  []int64 `json:"next"`
	Error string  `json:"error,omitempty"`
	Hang  bool    `json:"hang,omitempty"`
}

func main() {
	limit := flag.Duration("limit", time.Second, "time limit for one question")
	flag.Parse()

	zones := map[string]*time.Location{}
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(nil, 1<<20)
	output := bufio.NewWriter(os.Stdout)
	for input.Scan() {
		var asked question
		if err := json.Unmarshal(input.Bytes(), &asked); err != nil {
			log.Fatal(err)
		}
		if asked.TZif != nil {
			zone, err := time.LoadLocationFromTZData(asked.Zone, asked.TZif)
			if err != nil {
				log.Fatal(err)
			}
			zones[asked.Zone] = zone
			continue
		}
		zone, known := zones[asked.Zone]
		if !known {
			log.Fatalf("unknown zone %q", asked.Zone)
		}
		result := make(chan answer, 1)
		go func() { result <- ask(asked, zone) }()
		var given answer
		select {
		case given = <-result:
		case <-time.After(*limit):
			given = answer{Hang: true}
		}
		line, err := json.Marshal(given)
		if err != nil {
			log.Fatal(err)
		}
		output.Write(append(line, '\n'))
		output.Flush()
		if given.Hang {
			os.Exit(3)
		}
	}
	if err := input.Err(); err != nil {
		log.Fatal(err)
	}
}

// ask parses as the API server does, which refuses "TZ" anywhere in a schedule, and then searches in the zone.
func ask(asked question, zone *time.Location) answer {
	if strings.Contains(asked.Schedule, "TZ") {
		return answer{Error: "TZ in schedule"}
	}
	schedule, err := cron.ParseStandard(asked.Schedule)
	if err != nil {
		return answer{Error: err.Error()}
	}
	next := []int64{}
	at := time.Unix(asked.From, 0).In(zone)
	for range asked.Count {
		if at = schedule.Next(at); at.IsZero() {
			break
		}
		next = append(next, at.Unix())
	}
	return answer{Next: next}
}
