package argparse

import (
	"strings"

	"petrel/cmd/petrel/cli/textwrap"
)

// textWidth is the width texts are wrapped to on a terminal of the given width.
func textWidth(width int) int { return max(width-2, 11) }

func optionUsage(o Option) string {
	name := o.Names[0]
	switch o.Arity {
	case Flag:
		return name
	case OneOrMore:
		return name + " " + o.metavar() + " [" + o.metavar() + " ...]"
	case ZeroOrMore:
		return name + " [" + o.metavar() + " ...]"
	}
	return name + " " + o.metavar()
}

func positionalUsage(p Positional) string {
	switch p.Arity {
	case Optional:
		return "[" + p.Name + "]"
	case ZeroOrMore:
		return "[" + p.Name + " ...]"
	case OneOrMore:
		return p.Name + " [" + p.Name + " ...]"
	}
	return p.Name
}

// Usage is the usage text, wrapped to a terminal's width, without a newline at
// its end.
func Usage(spec *Spec, width int) string {
	const prefix = "usage: "
	var options, positionals []string
	groups := false
	for _, o := range spec.Options {
		if o.Group != "" && spec.GroupUsage != "" {
			if !groups {
				options = append(options, spec.GroupUsage)
				groups = true
			}
			continue
		}
		options = append(options, "["+optionUsage(o)+"]")
	}
	for _, p := range spec.Positionals {
		positionals = append(positionals, positionalUsage(p))
	}
	all := append([]string{spec.Prog}, append(append([]string{}, options...), positionals...)...)
	line := strings.Join(all, " ")
	limit := textWidth(width)
	if len(prefix)+len(line) <= limit {
		return prefix + line
	}
	optionParts := parts(strings.Join(options, " "))
	positionalParts := parts(strings.Join(positionals, " "))
	indent := strings.Repeat(" ", len(prefix)+len(spec.Prog)+1)
	var lines []string
	if len(optionParts) > 0 {
		lines = wrap(append([]string{spec.Prog}, optionParts...), indent, prefix, limit)
		lines = append(lines, wrap(positionalParts, indent, "", limit)...)
	} else {
		lines = wrap(append([]string{spec.Prog}, positionalParts...), indent, prefix, limit)
	}
	return prefix + strings.Join(lines, "\n")
}

// parts cuts a usage text where argparse may break it: a bracketed run up to a
// closing bracket before a blank, or a word.
func parts(text string) []string {
	var out []string
	for i := 0; i < len(text); {
		if text[i] == ' ' {
			i++
			continue
		}
		end := -1
		if text[i] == '[' || text[i] == '(' {
			closing := byte(']')
			if text[i] == '(' {
				closing = ')'
			}
			for j := i; j < len(text); j++ {
				if text[j] == closing && (j+1 == len(text) || text[j+1] == ' ') {
					end = j + 1
					break
				}
			}
		}
		if end < 0 {
			end = i
			for end < len(text) && text[end] != ' ' {
				end++
			}
		}
		out = append(out, text[i:end])
		i = end
	}
	return out
}

func wrap(parts []string, indent, prefix string, limit int) []string {
	var lines, line []string
	length := len(indent) - 1
	if prefix != "" {
		length = len(prefix) - 1
	}
	for _, part := range parts {
		if length+1+len(part) > limit && len(line) > 0 {
			lines = append(lines, indent+strings.Join(line, " "))
			line = nil
			length = len(indent) - 1
		}
		line = append(line, part)
		length += len(part) + 1
	}
	if len(line) > 0 {
		lines = append(lines, indent+strings.Join(line, " "))
	}
	if prefix != "" && len(lines) > 0 {
		lines[0] = lines[0][len(indent):]
	}
	return lines
}

// maxHelpColumn is where help texts begin at the latest, argparse's max_help_position.
const maxHelpColumn = 24

// helpColumn is where a command's help texts begin: behind its longest argument.
func helpColumn(spec *Spec) int {
	longest := 0
	for _, p := range spec.Positionals {
		longest = max(longest, len(p.Name))
	}
	for _, o := range spec.Options {
		longest = max(longest, len(invocation(o)))
	}
	return min(longest+4, maxHelpColumn)
}

// invocation is how an option is called, in all its forms.
func invocation(o Option) string {
	names := make([]string, len(o.Names))
	for i, n := range o.Names {
		names[i] = n
		if o.Arity != Flag {
			names[i] = n + strings.TrimPrefix(optionUsage(o), o.Names[0])
		}
	}
	return strings.Join(names, ", ")
}

// Help is the whole help text: usage, description, arguments.
func Help(spec *Spec, width int) string { return HelpBelow(Usage(spec, width), spec, width) }

// HelpBelow is Help with a usage text of one's own.
func HelpBelow(usage string, spec *Spec, width int) string {
	var b strings.Builder
	b.WriteString(usage + "\n")
	if spec.Description != "" {
		b.WriteString("\n" + textwrap.Fill(textwrap.Collapsed(spec.Description), textWidth(width), "") + "\n")
	}
	if len(spec.Positionals) > 0 {
		b.WriteString("\npositional arguments:\n")
		for _, p := range spec.Positionals {
			if p.Hidden {
				continue
			}
			entry(&b, p.Name, p.Help, helpColumn(spec), width)
			for _, c := range p.Commands {
				entry(&b, "  "+c.Name, c.Help, helpColumn(spec), width)
			}
		}
	}
	if len(spec.Options) > 0 {
		b.WriteString("\noptions:\n")
		optionEntries(&b, spec, false, width)
		var below strings.Builder
		if optionEntries(&below, spec, true, width); below.Len() > 0 {
			b.WriteString("\n" + below.String())
		}
	}
	return b.String()
}

// optionEntries describes the options of the first or the second block.
func optionEntries(b *strings.Builder, spec *Spec, below bool, width int) {
	for _, o := range spec.Options {
		if o.Hidden || o.Below != below {
			continue
		}
		entry(b, invocation(o), o.Help, helpColumn(spec), width)
	}
}

func entry(b *strings.Builder, name, help string, column, width int) {
	left := "  " + name
	lines := textwrap.Wrap(textwrap.Collapsed(help), max(textWidth(width)-column, 11), "")
	if len(lines) == 0 {
		b.WriteString(left + "\n")
		return
	}
	if len(left) <= column-2 {
		b.WriteString(left + strings.Repeat(" ", column-len(left)) + lines[0] + "\n")
		lines = lines[1:]
	} else {
		b.WriteString(left + "\n")
	}
	for _, line := range lines {
		b.WriteString(strings.Repeat(" ", column) + line + "\n")
	}
}
