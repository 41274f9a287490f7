package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Words of the progress that a starting cluster reports, one a line.
const (
	stepWord  = "step "
	readyWord = "ready"
	errorWord = "error "
)

// startLimit bounds each wait of a start. It is no measure of health: a slow machine takes seconds.
const startLimit = 5 * time.Minute

// supervisor starts the parts of a cluster and notes the first that dies.
type supervisor struct {
	died     chan death
	progress *os.File
}

// supervise starts the cluster, says so, and then watches over it until all of it is killed.
func supervise(_ *Cluster, level string) error {
	s := &supervisor{make(chan death, 16), os.NewFile(supervisorsProgressFD, "progress")}
	if err := s.bringUp(level); err != nil {
		s.say(errorWord, fmt.Sprintf("%q", err.Error()))
		return err
	}
	if err := s.say(readyWord, ""); err != nil {
		return fmt.Errorf("nobody waits for this start: %w", err)
	}
	s.progress.Close()
	for d := range s.died {
		// The rest stays for a look; `cluster up` reads this, says it and starts anew.
		if err := appendTo(filepath.Join(clusterDir, "broken"), d.Error()+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// bringUp is the whole order of a start.
func (s *supervisor) bringUp(level string) error {
	if err := network(level); err != nil {
		return err
	}
	full := level == levelFull
	s.say(stepWord, "control plane")
	if err := s.start(etcd, apiServer); err != nil {
		return err
	}
	if full {
		if err := s.start(containerd, internetDNS); err != nil {
			return err
		}
		if err := s.await("containerd answers", containerdAnswers); err != nil {
			return err
		}
		if err := s.loadImages(); err != nil {
			return err
		}
	}
	api, err := newAPI()
	if err != nil {
		return err
	}
	if err := s.await("the API server is ready", api.ready); err != nil {
		return err
	}
	if err := s.start(controllerManager); err != nil {
		return err
	}
	if full {
		if err := s.bringUpNode(api); err != nil {
			return err
		}
	}
	return s.await("the default ServiceAccount exists", func() error {
		return api.get("/api/v1/namespaces/default/serviceaccounts/default", nil)
	})
}

func (s *supervisor) bringUpNode(api *api) error {
	s.say(stepWord, "node")
	if err := s.start(scheduler, kubelet, proxy); err != nil {
		return err
	}
	if out, err := exec.Command("kubectl", "--kubeconfig=admin.kubeconfig", "apply", "--server-side", "-f", "config/cluster.yaml").CombinedOutput(); err != nil {
		return fmt.Errorf("kubectl apply: %w: %s", err, out)
	}
	if err := s.start(policyEngine); err != nil {
		return err
	}
	for _, condition := range []struct {
		what string
		met  func() error
	}{
		{"the node is Ready", api.nodeReady},
		{"the NetworkPolicy engine listens", policyEngineListens},
		{"the cluster's DNS answers", dnsAnswers},
	} {
		if err := s.await(condition.what, condition.met); err != nil {
			return err
		}
	}
	return nil
}

func (s *supervisor) say(word, text string) error {
	_, err := fmt.Fprintf(s.progress, "%s%s\n", word, text)
	return err
}

func (s *supervisor) start(parts ...Part) error {
	for _, p := range parts {
		if err := p.start(s.died); err != nil {
			return err
		}
	}
	return nil
}

// await waits for a condition, or for a part to die.
func (s *supervisor) await(what string, met func() error) error {
	s.say(stepWord, "waiting until "+what)
	for end := time.Now().Add(startLimit); ; {
		err := met()
		if err == nil {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("waited %s until %s: %w", startLimit, what, err)
		}
		select {
		case d := <-s.died:
			return d
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// loadImages gives the node every image that is built.
func (s *supervisor) loadImages() error {
	archives, err := filepath.Glob(imageDir + "/*.tar")
	if err != nil {
		return err
	}
	for _, archive := range archives {
		s.say(stepWord, "loading "+strings.TrimSuffix(filepath.Base(archive), ".tar"))
		if out, err := exec.Command("ctr", "--namespace=k8s.io", "images", "import", archive).CombinedOutput(); err != nil {
			return fmt.Errorf("load %s: %w: %s", archive, err, out)
		}
	}
	return nil
}

// follow reads the progress of a start, shows its steps, and returns how it ended.
func follow(progress *os.File, show func(string)) error {
	lines := bufio.NewScanner(progress)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if step, is := strings.CutPrefix(line, stepWord); is {
			show(step)
		} else if quoted, is := strings.CutPrefix(line, errorWord); is {
			var message string
			if _, err := fmt.Sscanf(quoted, "%q", &message); err != nil {
				return err
			}
			return errors.New(message)
		} else if line == readyWord {
			return nil
		}
	}
	return errors.New("the cluster's first process ended before it said why")
}
