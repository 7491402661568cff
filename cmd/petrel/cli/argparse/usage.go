package argparse

import "strings"

// textWidth is the width texts are wrapped to on a terminal of the given width.
func textWidth(width int) int { return max(width-2, 11) }

func optionUsage(o Option) string {
	name := o.Names[0]
	switch o.Arity {
	case Flag:
		return name
	case OneOrMore:
		return name + " " + o.metavar() + " [" + o.metavar() + " ...]"
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

// helpColumn is where help texts begin, argparse's max_help_position.
const helpColumn = 24

// Help is the whole help text: usage, description, arguments.
func Help(spec *Spec, width int) string {
	var b strings.Builder
	b.WriteString(Usage(spec, width) + "\n")
	if spec.Description != "" {
		b.WriteString("\n" + strings.Join(fill(spec.Description, textWidth(width)), "\n") + "\n")
	}
	if len(spec.Positionals) > 0 {
		b.WriteString("\npositional arguments:\n")
		for _, p := range spec.Positionals {
			entry(&b, p.Name, p.Help, width)
		}
	}
	if len(spec.Options) > 0 {
		b.WriteString("\noptions:\n")
		for _, o := range spec.Options {
			if o.Hidden {
				continue
			}
			names := make([]string, len(o.Names))
			for i, n := range o.Names {
				names[i] = n
				if o.Arity != Flag {
					names[i] = n + strings.TrimPrefix(optionUsage(o), o.Names[0])
				}
			}
			entry(&b, strings.Join(names, ", "), o.Help, width)
		}
	}
	return b.String()
}

func entry(b *strings.Builder, name, help string, width int) {
	left := "  " + name
	lines := fill(help, max(textWidth(width)-helpColumn, 11))
	if len(lines) == 0 {
		b.WriteString(left + "\n")
		return
	}
	if len(left) <= helpColumn-2 {
		b.WriteString(left + strings.Repeat(" ", helpColumn-len(left)) + lines[0] + "\n")
		lines = lines[1:]
	} else {
		b.WriteString(left + "\n")
	}
	for _, line := range lines {
		b.WriteString(strings.Repeat(" ", helpColumn) + line + "\n")
	}
}

// fill wraps a text at blanks.
func fill(text string, limit int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case len(line)+1+len(word) > limit:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
