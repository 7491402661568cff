package packs

import (
	"os"

	"petrel"
	"petrel/expr/value"
	"petrel/packs/yamldoc"
)

// kind is a sort of content that packs hold as files of one folder.
type kind struct {
	// folder is the folder in the pack.
	folder string
	// name is what counts call it, singular what requests may call it too.
	name, singular string
	// word is what messages call one of them.
	word string
	// skip are base names that are no metadata.
	skip []string
	// read makes an item of a file; nil for kinds this release does not know yet:
	// their files are counted and left alone.
	read func(l *loader, file string, doc *yamldoc.Document, dict *value.Dict)
}

// kinds are all kinds in StackStorm's order of registration. A new kind of content
// is a row here, a field of Content and a line in Registrar.put.
// st2: st2api/st2api/controllers/v1/packs.py (ENTITIES)
func kinds() []kind {
	return []kind{
		{folder: "triggers", name: "triggers", singular: "trigger", word: "trigger"},
		{folder: "sensors", name: "sensors", singular: "sensor", word: "sensor"},
		{folder: "actions", name: "actions", singular: "action", word: "action", skip: []string{"config"}, read: (*loader).action},
		{folder: "rules", name: "rules", singular: "rule", word: "rule"},
		{folder: "aliases", name: "aliases", singular: "alias", word: "alias", read: (*loader).alias},
		{folder: "policies", name: "policies", singular: "policy", word: "policy"},
	}
}

// Content is what a pack's folder holds.
type Content struct {
	Pack    petrel.Pack
	Actions []petrel.Action
	Aliases []petrel.Alias
	// Files is the number of metadata files by kind, those of kinds that are not
	// registered yet included.
	Files map[string]int
}

// at is the place of a field in a metadata file, for the rare problem that is
// found after reading. The file is read again: keeping every document would cost
// more memory than all content.
func (c Content) at(file string, path ...any) yamldoc.Position {
	root, err := os.OpenRoot(c.Pack.Path)
	if err != nil {
		return yamldoc.Position{}
	}
	defer root.Close()
	text, err := readFile(root, file, Limits{}.WithDefaults().FileBytes)
	if err != nil {
		return yamldoc.Position{}
	}
	doc, err := yamldoc.Load(file, text, yamldoc.Limits{})
	if err != nil {
		return yamldoc.Position{}
	}
	return doc.At(path...)
}
