package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// mend is what is wrong in a dependency of which there is no release without it, put right in a copy that is compiled instead.
type mend struct {
	module  string
	changes []change
}

// change is of one place of a file.
type change struct{ file, from, to string }

// twoFamilies: kube-router names its IPv6 sets inet6:KUBE-…, and leaves that out in the rules that use them, which the kernel then
// refuses. And with the sets of one family it writes those of the other as they were before.
var twoFamilies = mend{"github.com/cloudnativelabs/kube-router/v2", []change{
	{"pkg/controllers/netpol/policy.go", `"--match-set", srcIPSetName,`, `"--match-set", npc.ipSetHandlers[ipFamily].Name(srcIPSetName),`},
	{"pkg/controllers/netpol/policy.go", `"--match-set", dstIPSetName,`, `"--match-set", npc.ipSetHandlers[ipFamily].Name(dstIPSetName),`},
	{"pkg/utils/ipset.go", "setNames = append(setNames, setName)",
		`if strings.HasPrefix(setName, IPv6SetPrefix+":") == ipset.isIpv6 { setNames = append(setNames, setName) }`},
}}

// apply copies the dependency, mends the copy, and returns the flag by which the module at source is built with it.
func (m mend) apply(source string) (string, error) {
	list := golang(source, "list", "-m", "-f", "{{.Dir}}", m.module)
	original, err := list.Output()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, list.Stderr)
	}
	folder := work("mended", filepath.Base(source))
	if err := os.RemoveAll(folder); err != nil {
		return "", err
	}
	module := filepath.Join(folder, "module")
	if err := os.CopyFS(module, os.DirFS(string(bytes.TrimSpace(original)))); err != nil {
		return "", err
	}
	for _, change := range m.changes {
		path := filepath.Join(module, change.file)
		text, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		if strings.Count(string(text), change.from) != 1 {
			return "", fmt.Errorf("%s of %s is not what was to be mended: see whether it still has to be", change.file, m.module)
		}
		if err := os.Remove(path); err != nil { // it is read-only
			return "", err
		}
		if err := writeFile(path, strings.Replace(string(text), change.from, change.to, 1), 0o644); err != nil {
			return "", err
		}
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(source, name))
		if err != nil {
			return "", err
		}
		if name == "go.mod" {
			text = fmt.Appendf(text, "\nreplace %s => %s\n", m.module, module)
		}
		if err := writeFile(filepath.Join(folder, name), string(text), 0o644); err != nil {
			return "", err
		}
	}
	return "-modfile=" + filepath.Join(folder, "go.mod"), nil
}
