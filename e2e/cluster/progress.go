package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	// sayEvery is how often a build says how far it is.
	sayEvery = 15 * time.Second
	// worthSaying is what a part takes at least to be reported.
	worthSaying = 2 * time.Second
)

// progress tells of a build's parts.
type progress struct {
	lock  *os.File
	began time.Time
	mu    sync.Mutex
	jobs  []*job
}

func newProgress(lock *os.File) *progress { return &progress{lock: lock, began: time.Now()} }

// run runs the lanes beside each other and the parts of a lane in order. The first error ends all of them.
func (p *progress) run(ctx context.Context, lanes [][]part) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ended := make(chan struct{})
	var running sync.WaitGroup
	for _, parts := range lanes {
		running.Go(func() {
			for _, part := range parts {
				if ctx.Err() != nil {
					return
				}
				if err := p.runPart(ctx, part); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	go func() {
		running.Wait()
		close(ended)
	}()
	p.sayUntil(ended)
	return context.Cause(ctx)
}

func (p *progress) runPart(ctx context.Context, part part) error {
	j := &job{part: part, ctx: ctx, lock: p.lock, began: time.Now()}
	p.mu.Lock()
	p.jobs = append(p.jobs, j)
	p.mu.Unlock()
	err := part.run(j)
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.jobs {
		if p.jobs[i] == j {
			p.jobs = append(p.jobs[:i], p.jobs[i+1:]...)
			break
		}
	}
	wall := time.Since(j.began)
	if err == nil && wall >= worthSaying {
		fmt.Printf("%s  %s: done in %.0f s, %.0f s of CPU\n", p.clock(), part.name, wall.Seconds(), j.cpu.Seconds())
		err = appendTo(work("times"), fmt.Sprintf("%s\t%.1f\t%.1f\n", part.name, wall.Seconds(), j.cpu.Seconds()))
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		err = fmt.Errorf("build %s: %w", part.name, err)
	}
	return err
}

// sayUntil says now and then how far everything is, until it has ended.
func (p *progress) sayUntil(ended <-chan struct{}) {
	ticker := time.NewTicker(sayEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ended:
			return
		case <-ticker.C:
			p.mu.Lock()
			var states []string
			for _, j := range p.jobs {
				states = append(states, j.String())
			}
			fmt.Printf("%s  %s\n", p.clock(), strings.Join(states, "; "))
			p.mu.Unlock()
		}
	}
}

// clock is the time since the build began.
func (p *progress) clock() string {
	seconds := int(time.Since(p.began).Seconds())
	return fmt.Sprintf("%3d:%02d", seconds/60, seconds%60)
}
