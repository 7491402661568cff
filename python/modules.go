package python

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
)

// modules are the files of shim/: st2common and st2client as far as packs
// need them, and the program that runs an action.
//
//go:embed all:shim
var modules embed.FS

const moduleRoot = "shim"

// RunAction is the program that runs an action: its request on descriptor 3,
// its answer on descriptor 4.
const RunAction = "run_action.py"

// contentHash names the content of the modules.
func contentHash() string {
	sum := sha256.New()
	err := fs.WalkDir(modules, moduleRoot, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case compiled(d):
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		data, err := modules.ReadFile(path)
		fmt.Fprintf(sum, "%s %d\n", path, len(data))
		sum.Write(data)
		return err
	})
	if err != nil {
		panic("python: the built-in modules cannot be read: " + err.Error())
	}
	return hex.EncodeToString(sum.Sum(nil))[:12]
}

// compiled says whether a folder is what an interpreter left in the source.
func compiled(d fs.DirEntry) bool { return d.IsDir() && d.Name() == "__pycache__" }
