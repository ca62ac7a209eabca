package pagetest

import (
	"bytes"
	"cmp"
	"image"
	"image/color"
	"image/png"
	"os"
	"slices"
	"testing"
)

// Save writes a picture of a page to a file, small enough to be kept in a repository.
func Save(t testing.TB, file string, picture []byte) {
	t.Helper()
	if err := os.WriteFile(file, fewColours(t, picture), 0o644); err != nil { //nolint:gosec // a picture for everybody
		t.Fatal(err)
	}
}

// fewColours writes a picture with at most 256 colours. A page has hardly more, but for the
// edges of its letters, and the file is a third of the size then.
func fewColours(t testing.TB, picture []byte) []byte {
	t.Helper()
	full, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	bounds := full.Bounds()
	at := func(x, y int) color.RGBA { return color.RGBAModel.Convert(full.At(x, y)).(color.RGBA) }
	counts := map[color.RGBA]int{}
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			counts[at(x, y)]++
		}
	}
	palette := choose(counts, 256)
	index := map[color.RGBA]uint8{}
	for c := range counts {
		index[c] = uint8(palette.Index(c)) //nolint:gosec // at most 256 of them
	}
	out := image.NewPaletted(bounds, palette)
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			out.SetColorIndex(x, y, index[at(x, y)])
		}
	}
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, out); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// choose picks n colours of a picture, each time the one that would be missed most: by how
// far it is from those already picked, and by how much of the picture has it.
func choose(counts map[color.RGBA]int, n int) color.Palette {
	var all []color.RGBA
	for c := range counts {
		all = append(all, c)
	}
	rgb := func(c color.RGBA) int { return int(c.R)<<16 | int(c.G)<<8 | int(c.B) }
	slices.SortFunc(all, func(a, b color.RGBA) int { return cmp.Compare(rgb(a), rgb(b)) })
	missed := make([]int, len(all))
	for i := range missed {
		missed[i] = 1 << 20
	}
	square := func(a, b uint8) int { return (int(a) - int(b)) * (int(a) - int(b)) }
	var out color.Palette
	for range min(n, len(all)) {
		best := 0
		for i, c := range all {
			if missed[i]*counts[c] > missed[best]*counts[all[best]] {
				best = i
			}
		}
		pick := all[best]
		out = append(out, pick)
		for i, c := range all {
			missed[i] = min(missed[i], square(c.R, pick.R)+square(c.G, pick.G)+square(c.B, pick.B))
		}
	}
	return out
}
