package petrel

import "strings"

// Ref names a piece of pack content: "pack.name". It is split at the first
// dot; the name may hold further dots.
// st2: st2common/st2common/models/system/common.py
type Ref string

// MakeRef joins a pack and a name.
func MakeRef(pack, name string) Ref { return Ref(pack + "." + name) }

// Pack is the part before the first dot, empty when there is no dot.
func (r Ref) Pack() string {
	pack, _, found := strings.Cut(string(r), ".")
	if !found {
		return ""
	}
	return pack
}

// Name is the part behind the first dot, the whole text when there is no dot.
func (r Ref) Name() string {
	_, name, found := strings.Cut(string(r), ".")
	if !found {
		return string(r)
	}
	return name
}

// IsRef says whether a text that may be a ref or an id is a ref: it holds a
// dot. st2: st2api/st2api/controllers/resource.py
func IsRef(text string) bool { return strings.Contains(text, ".") }

// SystemPacks are the packs whose content cannot be changed by the API.
// st2: st2common/st2common/constants/pack.py
var SystemPacks = []string{"chatops", "core", "linux", "packs"}

// IsSystemPack says whether the pack is one of SystemPacks.
func IsSystemPack(pack string) bool {
	for _, p := range SystemPacks {
		if p == pack {
			return true
		}
	}
	return false
}
