package api

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"petrel"
)

// maxPackFile is the largest file that is shown, in bytes.
const maxPackFile = 500_000

// packFile is a file of a pack; its name is relative to the pack's folder.
type packFile struct {
	name string
	text []byte
	mode fs.FileMode // 0: 0644
	at   time.Time
}

// openPack opens a pack's folder. Nothing outside of it can be reached through
// it, whatever names and links say.
func openPack(p petrel.Pack) (*os.Root, error) {
	if p.Path == "" {
		return nil, petrel.Errorf(petrel.NotFound, "Directory for pack \"%s\" doesn't exist", p.Ref)
	}
	root, err := os.OpenRoot(p.Path)
	if err != nil {
		return nil, petrel.Wrap(petrel.NotFound, err, "Directory for pack \"%s\" doesn't exist", p.Ref)
	}
	return root, nil
}

// isFolder says whether there is a folder below another.
func isFolder(base, name string) bool {
	if base == "" {
		return false
	}
	root, err := os.OpenRoot(base)
	if err != nil {
		return false
	}
	defer root.Close()
	info, err := root.Stat(name)
	return err == nil && info.IsDir()
}

// checkPackPath refuses a path that is not written in its shortest form below
// the pack's folder. st2: st2common/st2common/content/utils.py
func checkPackPath(name, kind, base string) error {
	if strings.TrimLeft(path.Clean("/"+name), "/") == name && !strings.ContainsRune(name, '\\') {
		return nil
	}
	return petrel.Errorf(petrel.Invalid, "Invalid file path: \"%s\". File path needs to be relative to the pack%sdirectory (%s). For example \"my_action.py\".",
		cutText(name), kind, base)
}

// readPackFile reads a file of a pack. NotFound, and Invalid for one that is
// too large to be shown.
func readPackFile(p petrel.Pack, name string) (packFile, error) {
	root, err := openPack(p)
	if err != nil {
		return packFile{}, err
	}
	defer root.Close()
	return readFile(root, name)
}

func readFile(root *os.Root, name string) (packFile, error) {
	absent := func(err error) error {
		return petrel.Wrap(petrel.NotFound, err, "File \"%s\" not found", cutText(name))
	}
	info, err := root.Stat(path.Clean(name))
	if err != nil || !info.Mode().IsRegular() {
		return packFile{}, absent(err)
	}
	f, err := root.Open(path.Clean(name))
	if err != nil {
		return packFile{}, absent(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxPackFile+1))
	if err != nil {
		return packFile{}, fmt.Errorf("read %s: %w", name, err)
	}
	if len(text) > maxPackFile {
		return packFile{}, petrel.Errorf(petrel.Invalid, "File %s exceeds maximum allowed file size (%d bytes)", cutText(name), maxPackFile)
	}
	return packFile{name: name, text: text, mode: info.Mode().Perm(), at: info.ModTime()}, nil
}

// writePackFiles writes files into a pack's folder, whole or not at all: undo
// puts back what was there before.
func writePackFiles(p petrel.Pack, files []packFile) (undo func(), err error) {
	root, err := openPack(p)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	type before struct {
		packFile
		was bool
	}
	var done []before
	undo = func() {
		root, err := openPack(p)
		if err != nil {
			return
		}
		defer root.Close()
		for _, b := range done {
			if b.was {
				_ = root.WriteFile(b.name, b.text, b.mode)
			} else {
				_ = root.Remove(b.name)
			}
		}
	}
	for _, f := range files {
		old, err := readFile(root, f.name)
		if err != nil && !petrel.Is(err, petrel.NotFound) {
			undo()
			return nil, err
		}
		was := err == nil
		mode := f.mode
		if mode == 0 {
			mode = 0o644
		}
		if err = root.MkdirAll(path.Dir(f.name), 0o775); err == nil {
			err = root.WriteFile(f.name, f.text, mode)
		}
		if err != nil {
			undo()
			return nil, unwritable(err, f.name)
		}
		old.name = f.name
		done = append(done, before{old, was})
	}
	return undo, nil
}

// unwritable tells that the server may not write to a pack's folder.
func unwritable(err error, name string) error {
	if errors.Is(err, fs.ErrPermission) {
		return petrel.Wrap(petrel.Invalid, err, "Unable to write data to \"%s\" (permission denied). Make sure permissions for that pack "+
			"directory are configured correctly so st2api can write to it.", name)
	}
	return petrel.Wrap(petrel.Invalid, err, "Unable to write data to \"%s\".", cutText(name))
}

// removeActionFiles removes an action's entry point and metadata file.
func removeActionFiles(p petrel.Pack, x petrel.Action) error {
	root, err := openPack(p)
	if petrel.Is(err, petrel.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	defer root.Close()
	for _, name := range []string{x.EntryPoint, x.MetadataFile} {
		if name == "" {
			continue
		}
		if name == x.EntryPoint {
			name = "actions/" + name
		}
		err := root.Remove(path.Clean(name))
		switch {
		case err == nil || errors.Is(err, fs.ErrNotExist):
		case errors.Is(err, fs.ErrPermission):
			return petrel.Wrap(petrel.Forbidden, err, "No permission to delete \"%s\" file from disk", name)
		default:
			return petrel.Wrap(petrel.Invalid, err, "The action file \"%s\" could not be removed from disk", cutText(name))
		}
	}
	return nil
}

// clonedFiles are the files of an action under the names of its clone; the
// metadata names the clone, the rest of it stays as it is written.
func clonedFiles(source, x petrel.Action, from petrel.Pack) ([]packFile, error) {
	unreadable := func(err error, name string) error {
		return petrel.Wrap(petrel.Invalid, err, "Unable to copy file \"%s\".", cutText(name))
	}
	meta, err := readPackFile(from, source.MetadataFile)
	if err != nil {
		return nil, unreadable(err, source.MetadataFile)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(meta.text, &doc); err != nil || doc.Kind != yaml.DocumentNode || doc.Content[0].Kind != yaml.MappingNode {
		return nil, unreadable(err, source.MetadataFile)
	}
	set := func(key, text string, add bool) {
		mapping := doc.Content[0]
		for i := 0; i+1 < len(mapping.Content); i += 2 {
			if mapping.Content[i].Value == key {
				mapping.Content[i+1].SetString(text)
				return
			}
		}
		if add {
			var k, v yaml.Node
			k.SetString(key)
			v.SetString(text)
			mapping.Content = append(mapping.Content, &k, &v)
		}
	}
	set("name", x.Name, true)
	set("pack", x.Pack, false)
	set("entry_point", x.EntryPoint, true)
	var text bytes.Buffer
	out := yaml.NewEncoder(&text)
	out.SetIndent(2)
	if err := out.Encode(&doc); err != nil {
		return nil, unreadable(err, source.MetadataFile)
	}
	files := []packFile{{name: x.MetadataFile, text: text.Bytes(), mode: meta.mode}}
	if x.EntryPoint != "" {
		entry, err := readPackFile(from, "actions/"+source.EntryPoint)
		if err != nil {
			return nil, unreadable(err, source.EntryPoint)
		}
		files = append(files, packFile{name: "actions/" + x.EntryPoint, text: entry.text, mode: entry.mode})
	}
	return files, nil
}

// packFiles serves GET packs/views/files/{ref_or_id}: the text files of a pack.
func (a *API) packFiles(c *call) error {
	p, err := c.pack()
	if err != nil {
		return err
	}
	if _, err := c.may("pack_view", p.UID); err != nil {
		return err
	}
	out := []object{}
	root, err := openPack(p)
	if petrel.Is(err, petrel.NotFound) {
		return c.json(http.StatusOK, out)
	}
	if err != nil {
		return err
	}
	defer root.Close()
	for _, name := range p.Files {
		f, err := readFile(root, name)
		head := f.text[:min(len(f.text), 1024)]
		if err != nil || bytes.Contains(head, []byte("\uFEFF")) || bytes.ContainsRune(head, 0) || !utf8.Valid(f.text) {
			continue // gone, too large, or no text
		}
		out = append(out, object{{"file_path", name}, {"content", string(f.text)}})
	}
	return c.json(http.StatusOK, out)
}

// packFile serves GET packs/views/file/{ref_or_id}/{path}.
func (a *API) packFile(c *call) error {
	p, err := c.pack()
	if err != nil {
		return err
	}
	name := c.path["path"]
	if name != "icon.png" { // st2: browsers fetch icons without rights
		if _, err := c.may("pack_view", p.UID); err != nil {
			return err
		}
	}
	if err := checkPackPath(name, " ", p.Path); err != nil {
		return err
	}
	f, err := readPackFile(p, name)
	if err != nil {
		return err
	}
	modified := f.at.UTC().Format(http.TimeFormat)
	tag := strconv.FormatFloat(float64(f.at.UnixNano())/1e9, 'f', -1, 64)
	h := c.w.Header()
	h.Set("Last-Modified", modified)
	h.Set("ETag", tag)
	same := c.r.Header.Get("If-None-Match") == tag
	if c.r.Header.Get("If-None-Match") == "" {
		same = c.r.Header.Get("If-Modified-Since") == modified
	}
	if same {
		c.begin(http.StatusNotModified)
		return nil
	}
	kind, known := mimeTypes[path.Ext(name)]
	if !known {
		// What is not known could run in a browser, so it is served as bytes only.
		kind = "application/octet-stream"
	}
	return c.raw(http.StatusOK, kind, f.text)
}

// mimeTypes are fixed for the files packs are made of, so that they do not
// depend on the machine.
var mimeTypes = map[string]string{
	".py": "text/x-python", ".sh": "text/x-sh", ".md": "text/markdown", ".txt": "text/plain", ".json": "application/json",
	".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".csv": "text/csv", ".css": "text/css",
}

// sourceType is the type of an entry point.
func sourceType(name string) string {
	switch ext := path.Ext(name); ext {
	case ".yaml", ".yml":
		return "application/x-yaml"
	default:
		if kind := mimeTypes[ext]; kind != "" {
			return kind
		}
	}
	return "text/plain"
}
