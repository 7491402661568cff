// Package shell builds the command lines of the shell runners: how values
// become words, how words are quoted, and how a command is wrapped to run as
// another user. Everything in it is pure.
package shell

import (
	"sort"
	"strings"
)

// Quote makes one word of a POSIX shell out of any text without NUL. Text of
// letters, digits and _@%+=:,./- stays as it is; the shell takes everything
// else literally between single quotes. Python: shlex.quote.
func Quote(text string) string {
	if text == "" {
		return "''"
	}
	safe := true
	for i := 0; i < len(text) && safe; i++ {
		safe = isSafe(text[i])
	}
	if safe {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'"'"'`) + "'"
}

func isSafe(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return true
	}
	return strings.IndexByte("_@%+=:,./-", c) >= 0
}

// Identity says as whom a command runs.
type Identity struct {
	User        string // who it shall run as; empty for the process's own user
	ProcessUser string // who the process runs as
	Sudo        bool   // run as root
	Password    bool   // a sudo password is handed over on the standard input
}

// Wrap is the command as the identity runs it: as it is, or through sudo and
// bash. st2: st2common/st2common/models/system/action.py
func (id Identity) Wrap(command string) string {
	switch {
	case id.Sudo:
		return "sudo " + id.flags() + " -- bash -c " + Quote(command)
	case id.Switches():
		return "sudo " + id.flags() + " -H -u " + Quote(id.User) + " -- bash -c " + Quote(command)
	}
	return command
}

// Switches says whether sudo is needed although nobody asked to be root.
func (id Identity) Switches() bool { return !id.Sudo && id.User != "" && id.User != id.ProcessUser }

func (id Identity) flags() string {
	if id.Password {
		return "-S -E"
	}
	return "-E"
}

// ScriptCommand is the line that runs a script with its arguments. Inside
// sudo the script's path is not quoted by itself, as in StackStorm.
func ScriptCommand(script, arguments string, id Identity) string {
	if id.Sudo || id.Switches() {
		return id.Wrap(join(script, arguments))
	}
	return join(Quote(script), arguments)
}

// RemoteScriptCommand is the line that runs a script that was copied to a
// folder of another host. Only the script's name is quoted, as in StackStorm.
func RemoteScriptCommand(dir, script, arguments string) string {
	name := script[strings.LastIndexByte(script, '/')+1:]
	if dir != "" && !strings.HasSuffix(dir, "/") {
		dir += "/"
	}
	return join(dir+Quote(name), arguments)
}

func join(command, arguments string) string {
	if arguments == "" {
		return command
	}
	return command + " " + arguments
}

// Export is the line that sets variables in a shell on another host, sorted by
// name; empty when there are none. With a sudo password on the command line
// the shell's history is switched off.
func Export(env map[string]string, hidePassword bool) string {
	if len(env) == 0 {
		return ""
	}
	all := make(map[string]string, len(env)+2)
	for name, text := range env {
		all[name] = text
	}
	if hidePassword {
		all["HISTFILE"], all["HISTSIZE"] = "/dev/null", "0"
	}
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	sort.Strings(names)
	var line strings.Builder
	line.WriteString("export")
	for _, name := range names {
		line.WriteString(" " + Quote(name) + "=" + Quote(all[name]))
	}
	return line.String()
}
