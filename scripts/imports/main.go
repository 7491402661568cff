// Command imports holds the import order: it reads the table of layers in
// ARCHITECTURE.md and fails when a package of the module imports another that
// its row does not allow, when a row names a higher layer, and when a package
// has no row.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

const module = "petrel"

// free are folders that are no part of the product.
var free = []string{"scripts", "test", "bench"}

type row struct {
	layer   int
	name    string // folder, or folder/*
	allowed []string
	all     bool
	used    bool
}

// covers says whether a pattern of the table means the package.
func covers(pattern, pkg string) bool {
	if base, star := strings.CutSuffix(pattern, "/*"); star {
		return strings.HasPrefix(pkg, base+"/")
	}
	return pattern == pkg
}

var quoted = regexp.MustCompile("`([^`]+)`")

func readTable(r io.Reader) ([]*row, error) {
	var rows []*row
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		cells := strings.Split(lines.Text(), "|")
		if len(cells) < 5 {
			continue
		}
		layer, err := strconv.Atoi(strings.TrimSpace(cells[1]))
		if err != nil {
			continue
		}
		name := quoted.FindStringSubmatch(cells[2])
		if name == nil {
			return nil, fmt.Errorf("row without a package: %s", lines.Text())
		}
		one := &row{layer: layer, name: name[1], all: strings.Contains(cells[3], "everything below")}
		for _, m := range quoted.FindAllStringSubmatch(cells[3], -1) {
			one.allowed = append(one.allowed, m[1])
		}
		rows = append(rows, one)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, errors.New("ARCHITECTURE.md has no table of layers")
	}
	return rows, nil
}

// find is the row of a package; an exact name goes before a pattern, and the
// longest pattern before a shorter one.
func find(rows []*row, pkg string) *row {
	var best *row
	for _, r := range rows {
		if !covers(r.name, pkg) {
			continue
		}
		if r.name == pkg {
			return r
		}
		if best == nil || len(r.name) > len(best.name) {
			best = r
		}
	}
	return best
}

type listed struct {
	ImportPath string
	Imports    []string
}

func folder(path string) string {
	if path == module {
		return module
	}
	return strings.TrimPrefix(path, module+"/")
}

func check(rows []*row, packages []listed) []string {
	var problems []string
	for _, p := range packages {
		pkg := folder(p.ImportPath)
		top, _, _ := strings.Cut(pkg, "/")
		isFree := false
		for _, f := range free {
			isFree = isFree || f == top
		}
		if isFree {
			continue
		}
		from := find(rows, pkg)
		if from == nil {
			problems = append(problems, fmt.Sprintf("%s has no row in ARCHITECTURE.md", pkg))
			continue
		}
		from.used = true
		for _, path := range p.Imports {
			if path != module && !strings.HasPrefix(path, module+"/") {
				if pkg == module && strings.Contains(strings.Split(path, "/")[0], ".") {
					problems = append(problems, fmt.Sprintf("the root imports %s; it may import the standard library only", path))
				}
				continue
			}
			target := folder(path)
			if target == module {
				continue
			}
			to := find(rows, target)
			if to == nil {
				continue
			}
			ok := from.all
			for _, a := range from.allowed {
				ok = ok || covers(a, target)
			}
			if !ok {
				problems = append(problems, fmt.Sprintf("%s imports %s, which its row does not allow", pkg, target))
			} else if to.layer > from.layer {
				problems = append(problems, fmt.Sprintf("%s (layer %d) imports %s of the higher layer %d", pkg, from.layer, target, to.layer))
			}
		}
	}
	for _, r := range rows {
		if !r.used {
			problems = append(problems, fmt.Sprintf("the row of %s means no package", r.name))
		}
	}
	return problems
}

func run() error {
	f, err := os.Open("ARCHITECTURE.md")
	if err != nil {
		return err
	}
	defer f.Close()
	rows, err := readTable(f)
	if err != nil {
		return err
	}
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("go list: %w", err)
	}
	var packages []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		packages = append(packages, p)
	}
	if problems := check(rows, packages); len(problems) > 0 {
		return fmt.Errorf("import order:\n  %s", strings.Join(problems, "\n  "))
	}
	fmt.Printf("import order: %d packages, %d rows\n", len(packages), len(rows))
	return nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
