// Package packs reads packs from folders, checks them and registers what they
// hold. A pack is a folder with a pack.yaml; everything else about it is by
// convention of place: actions in actions/*.yaml, aliases in aliases/*.yaml, the
// schema of its configuration in config.schema.yaml.
//
// Load reads one folder and touches nothing else. What is wrong with one file is
// a Problem with file, line and column, and never keeps the other files out.
// The Registrar looks packs up along a search path, registers them with the
// store, and looks for changes while the process runs. The packs that come with
// Petrel stand in packs/content.
package packs

import (
	"cmp"
	"fmt"
	"path/filepath"
)

// Limits bound a pack. A zero field means its default.
type Limits struct {
	// Files is the number of files in a pack's folder; default 10,000.
	Files int
	// Depth is how deep folders may be nested; default 32.
	Depth int
	// FileBytes is the size of one metadata file; default 2 MiB.
	FileBytes int
	// MetadataBytes is the size of all metadata files together; default 64 MiB.
	MetadataBytes int
	// Items is the number of files of one kind, such as actions; default 5,000.
	Items int
	// Packs is the number of packs along the search path; default 1,000.
	Packs int
}

// WithDefaults fills in the zero fields.
func (l Limits) WithDefaults() Limits {
	l.Files = cmp.Or(l.Files, 10_000)
	l.Depth = cmp.Or(l.Depth, 32)
	l.FileBytes = cmp.Or(l.FileBytes, 2<<20)
	l.MetadataBytes = cmp.Or(l.MetadataBytes, 64<<20)
	l.Items = cmp.Or(l.Items, 5_000)
	l.Packs = cmp.Or(l.Packs, 1_000)
	return l
}

// Problem is something wrong with a pack.
type Problem struct {
	// Pack is the pack's ref, or the folder's name when the ref is not known.
	Pack string `json:"pack"`
	// Dir is the pack's folder.
	Dir string `json:"dir"`
	// File is the file at fault, relative to Dir; empty when it is the folder.
	File string `json:"file,omitempty"`
	// Line and Column count from one; zero when the place is not known.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
	// Reason says what is wrong.
	Reason string `json:"reason"`
	// Warning marks what was registered all the same.
	Warning bool `json:"warning,omitempty"`
}

// Error is file:line:column: reason.
func (p Problem) Error() string {
	where := filepath.Join(p.Dir, filepath.FromSlash(p.File))
	if p.Line > 0 {
		where = fmt.Sprintf("%s:%d:%d", where, p.Line, p.Column)
	}
	return where + ": " + p.Reason
}

// Errors are the problems that kept something from being registered.
func Errors(problems []Problem) []Problem {
	var out []Problem
	for _, p := range problems {
		if !p.Warning {
			out = append(out, p)
		}
	}
	return out
}
