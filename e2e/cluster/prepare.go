package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// build makes what is missing of what clusters run: Debian packages, the components, the images that each of them needs.
// Beside it, to keep every core busy, it makes targets of the Makefile, one after the other.
func build(targets []string) error {
	if os.Geteuid() != 0 {
		return errors.New("clusters and what they are built with need root: run this as root")
	}
	lock, err := exclusive(work("build.lock"))
	if err != nil {
		return err
	}
	defer lock.Close()
	if missing, err := missingComponents(); err != nil {
		return err
	} else if missing != "" {
		fmt.Println("building Kubernetes with its tools: 3,700 Go packages; all of a first build takes about ten minutes on two idle cores")
		if len(targets) > 0 {
			fmt.Printf("beside it: %s\n", strings.Join(targets, ", "))
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	clusters := []part{
		{"Debian packages", installPackages},
		{"Kubernetes", compileComponents},
		{"images", buildBaseImages},
	}
	var made []part
	for _, target := range targets {
		made = append(made, part{target, func(j *job) error { return makeTarget(j, target) }})
	}
	return newProgress(lock).run(ctx, [][]part{clusters, made})
}

func buildBaseImages(*job) error {
	for _, name := range []string{"pause", "coredns", "toolbox"} {
		if _, err := buildImage(filepath.Join(root(), "e2e/images", name)); err != nil {
			return err
		}
	}
	return nil
}

// makeTarget makes a target of the Makefile. What it prints goes to a log.
func makeTarget(j *job, target string) error {
	path := work("log", target+".log")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	log, err := os.Create(path)
	if err != nil {
		return err
	}
	defer log.Close()
	command := j.command("make", "--no-print-directory", target)
	command.Dir = root()
	command.Env = append(os.Environ(), "CARGO_TERM_COLOR=never", "CARGO_TERM_PROGRESS_WHEN=always", "CARGO_TERM_PROGRESS_WIDTH=80")
	output := &cargoOutput{log: log, say: j.say}
	command.Stdout, command.Stderr = output, output
	if err := j.exec(command); err != nil {
		return fmt.Errorf("make %s: %w; the end of %s:\n%s", target, err, path, lastLines(path, 40))
	}
	return nil
}

// cargoOutput puts into the log what Cargo and its programs print, and tells of the progress that Cargo shows.
type cargoOutput struct {
	log  *os.File
	say  func(string)
	rest []byte
}

var cargoProgress = regexp.MustCompile(`^\s*Building .*\] (\d+)/(\d+)`)

func (o *cargoOutput) Write(text []byte) (int, error) {
	o.rest = append(o.rest, text...)
	for {
		end := bytes.IndexAny(o.rest, "\r\n")
		if end < 0 {
			return len(text), nil
		}
		line := o.rest[:end]
		if found := cargoProgress.FindSubmatch(line); found != nil {
			o.say(fmt.Sprintf("%s of %s crates", found[1], found[2]))
		} else if o.rest[end] == '\n' {
			if _, err := o.log.Write(o.rest[:end+1]); err != nil {
				return 0, err
			}
		}
		o.rest = o.rest[end+1:]
	}
}

// part is a piece of a build.
type part struct {
	name string
	run  func(*job) error
}

// job is a part under way.
type job struct {
	part
	ctx   context.Context
	lock  *os.File
	began time.Time
	mu    sync.Mutex
	state string
	// cpu is what its commands have taken, in the kernel's count of it.
	cpu time.Duration
}

// say notes how far the job is.
func (j *job) say(state string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.state = state
}

func (j *job) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.state == "" {
		return j.name
	}
	return j.name + ": " + j.state
}

// command is one that ends with the build, and so does all that it started.
func (j *job) command(name string, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(j.ctx, name, arguments...)
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	return command
}

// exec runs a command, which holds the build's lock with this process: if this one is killed, the next build waits for what
// goes on.
func (j *job) exec(command *exec.Cmd) error {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.ExtraFiles = []*os.File{j.lock}
	err := command.Run()
	if state := command.ProcessState; state != nil {
		j.cpu += state.UserTime() + state.SystemTime()
	}
	if j.ctx.Err() != nil {
		return errors.Join(errors.New("stopped"), j.ctx.Err())
	}
	return err
}
