package events

// Index is what derivation asks of a repository. The answers must hold still while one derivation runs.
type Index interface {
	// Image tells whether the repository has the digest, and whether it is still Silent.
	Image(digest string) (silent, ok bool)
	// Tag returns the digest a tag points at.
	Tag(tag string) (digest string, ok bool)
	// Tags returns the sorted tags that point at a digest.
	Tags(digest string) []string
}

// Push derives what a push of digest under tags (none: a push by digest) changes. quiet is the switch for children of an index:
// an image without a tag is then Silent until it gets one. The changes carry Kind, Tag, Digest and Silent only.
// The order within a push is that of the cloud's own table: the image, then per tag the detached digest and the attached one.
func Push(ix Index, digest string, tags []string, quiet bool) []Change {
	var out []Change
	silent, known := ix.Image(digest)
	switch {
	case !known && quiet && len(tags) == 0:
		out = append(out, Change{Kind: ImageCreated, Digest: digest, Silent: true})
	case !known, silent && len(tags) > 0:
		c := Change{Kind: ImageCreated, Digest: digest}
		if len(tags) > 0 {
			c.Tag = tags[0]
		}
		out = append(out, c)
	}
	seen := make(map[string]bool, len(tags))
	for _, tag := range tags {
		old, attached := ix.Tag(tag)
		if seen[tag] || attached && old == digest {
			continue
		}
		seen[tag] = true
		if attached {
			out = append(out, Change{Kind: TagDetached, Tag: tag, Digest: old})
		}
		out = append(out, Change{Kind: TagAttached, Tag: tag, Digest: digest})
	}
	return out
}

// Untag derives what deleting a tag changes: nothing when the repository does not have it.
func Untag(ix Index, tag string) []Change {
	digest, ok := ix.Tag(tag)
	if !ok {
		return nil
	}
	return []Change{{Kind: TagDetached, Tag: tag, Digest: digest}}
}

// Delete derives what deleting an image changes: every tag it has goes first, so that a reader never sees a tag without its image.
func Delete(ix Index, digest string) []Change {
	silent, ok := ix.Image(digest)
	if !ok {
		return nil
	}
	var out []Change
	for _, tag := range ix.Tags(digest) {
		out = append(out, Change{Kind: TagDetached, Tag: tag, Digest: digest})
	}
	return append(out, Change{Kind: ImageDeleted, Digest: digest, Silent: silent})
}
