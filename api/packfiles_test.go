package api_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"petrel/api"
	"petrel/auth"
)

func TestPackFiles_StayInThePack(t *testing.T) {
	site := newSite(t)
	s := site.serve(auth.Config{Disabled: true}, api.Config{}, api.ServerOptions{})
	pack := filepath.Join(site.dir, "packs", "conformance")
	for name, target := range map[string]string{"link.txt": "/etc/passwd", "up.txt": "../../petrel.db"} {
		if err := os.Symlink(target, filepath.Join(pack, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(pack, "page.html"), []byte("<script>"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(pack, "large.txt"), make([]byte, 600_000), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path   string
		status int
		says   string
	}{
		{"README.md", 200, "text/markdown"}, {"pack.yaml", 200, "application/octet-stream"}, {"actions/py_types.py", 200, "text/x-python"},
		{"page.html", 200, "application/octet-stream"},
		{"../../petrel.db", 400, "Invalid file path"}, {"%2e%2e/%2e%2e/petrel.db", 400, "Invalid file path"}, {"actions/../pack.yaml", 400, "Invalid file path"},
		{"link.txt", 404, "not found"}, {"up.txt", 404, "not found"}, {"nothing", 404, `File \"nothing\" not found`}, {"actions", 404, "not found"},
		{"large.txt", 400, "exceeds maximum allowed file size (500000 bytes)"},
	} {
		got := s.do(t, "GET", "/api/v1/packs/views/file/conformance/"+c.path, "")
		if got.status != c.status || !strings.Contains(got.header.Get("Content-Type")+got.text, c.says) || got.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %s %.200s", c.path, got.status, got.header.Get("Content-Type"), got.text)
		}
	}
	first := s.do(t, "GET", "/api/v1/packs/views/file/conformance/README.md", "")
	if again := s.do(t, "GET", "/api/v1/packs/views/file/conformance/README.md", "", "If-None-Match", first.header.Get("ETag")); again.status != 304 || again.text != "" {
		t.Errorf("the same file: %d", again.status)
	}
	if again := s.do(t, "GET", "/api/v1/packs/views/file/conformance/README.md", "", "If-Modified-Since", first.header.Get("Last-Modified")); again.status != 304 {
		t.Errorf("not modified since: %d", again.status)
	}
	for _, path := range []string{"../x", "/etc/x", "a/../../x", "./x", "a//x", `a\\x`} {
		got := s.do(t, "POST", "/api/v1/actions", `{"name": "x", "pack": "conformance", "runner_type": "noop", "data_files": [{"file_path": "`+path+`", "content": "x"}]}`)
		if got.status != 400 || !strings.HasPrefix(got.fault(), "Invalid file path") {
			t.Errorf("data file %s: %d %s", path, got.status, got.text)
		}
	}
	if got := s.do(t, "GET", "/api/v1/actions/conformance.x", ""); got.status != 404 {
		t.Error("a refused action was stored")
	}
	files := s.do(t, "GET", "/api/v1/packs/views/files/conformance", "")
	if files.status != 200 || !strings.Contains(files.text, `"file_path":"pack.yaml"`) || strings.Contains(files.text, "root:") {
		t.Errorf("files: %d", files.status)
	}
	// An action whose file cannot be written is not stored, and a stored one that conflicts leaves no file.
	body := `{"name": "made", "pack": "conformance", "runner_type": "local-shell-script", "entry_point": "made.sh", "data_files": [{"file_path": "made.sh", "content": "one"}]}`
	if got := s.do(t, "POST", "/api/v1/actions", body); got.status != 201 {
		t.Fatalf("%d %s", got.status, got.text)
	}
	if got := s.do(t, "POST", "/api/v1/actions", strings.Replace(body, `"one"`, `"two"`, 1)); got.status != 409 {
		t.Errorf("twice: %d %s", got.status, got.text)
	}
	if text, err := os.ReadFile(filepath.Join(pack, "actions", "made.sh")); err != nil || string(text) != "one" {
		t.Errorf("a refused action changed a file: %q %v", text, err)
	}
	if got := s.do(t, "DELETE", "/api/v1/actions/conformance.made", `{"remove_files": true}`, "Content-Type", "application/json"); got.status != 204 {
		t.Errorf("%d %s", got.status, got.text)
	}
	if _, err := os.Stat(filepath.Join(pack, "actions", "made.sh")); !os.IsNotExist(err) {
		t.Errorf("the file is still there: %v", err)
	}
}
