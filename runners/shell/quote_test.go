package shell

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
)

// echoArguments has a real shell read a command line and gives back the words
// the command got.
func echoArguments(t *testing.T, line string) []string {
	t.Helper()
	out, err := exec.Command("/bin/sh", "-c", `printf '%s\0' `+line).Output()
	if err != nil {
		t.Fatalf("/bin/sh refused %q: %v", line, err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

func TestQuote_RoundTripThroughShell(t *testing.T) {
	texts := []string{"", "x", "a b", "'", "''", `"`, `\`, `\\'`, "$(id)", "`id`", "; rm -rf /", "*", "~", "~root", "!", "#x",
		"a\nb", "\n", "a\tb", "&", "|", "<x", "-n", "--flag", "=", "a=b", "%s", `'"'"'`, "é日本\U0001f600", "\xff\xfe", "{a,b}", "[a-z]*", "$HOME", "\r\n"}
	words := make([]string, len(texts))
	for i, text := range texts {
		words[i] = Quote(text)
	}
	got := echoArguments(t, "-- "+strings.Join(words, " "))[1:]
	if len(got) != len(texts) {
		t.Fatalf("%d words came out, %d went in", len(got), len(texts))
	}
	for i := range texts {
		if got[i] != texts[i] {
			t.Errorf("%q came out as %q", texts[i], got[i])
		}
	}
}

func TestScriptCommand_WordsSurviveSudoAndBash(t *testing.T) {
	// What sudo hands to bash -c must be read back into the same words.
	line := `'a b' "x"`
	wrapped := Identity{Sudo: true}.Wrap("printf '%s\\0' " + Quote(line))
	out, err := exec.Command("/bin/sh", "-c", strings.Replace(wrapped, "sudo -E --", "env", 1)).Output()
	if err != nil {
		t.Fatal(err)
	}
	if string(out) != line+"\x00" {
		t.Errorf("bash read %q", out)
	}
}

func FuzzQuote(f *testing.F) {
	for _, seed := range []string{"", "x", "it's", "a\nb", "$(x)", "\\", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsRune(text, 0) || len(text) > 1<<16 {
			t.Skip("no word of a shell can hold this")
		}
		out, err := exec.Command("/bin/sh", "-c", "printf %s "+Quote(text)).Output()
		if strings.HasPrefix(text, "-") {
			out, err = exec.Command("/bin/sh", "-c", "printf '%s' "+Quote(text)).Output()
		}
		if err != nil || !bytes.Equal(out, []byte(text)) {
			t.Errorf("%q came out as %q (%v)", text, out, err)
		}
	})
}
