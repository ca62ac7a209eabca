package webui_test

import (
	"bytes"
	"cmp"
	"flag"
	"image"
	"image/color"
	"image/png"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/partnerkit/partnerkit/internal/page/pagetest"
)

var screenshots = flag.String("screenshots", "", "folder to write the pictures of the documentation to")

// TestScreenshots makes the pictures of the documentation:
//
//	go test ./mockplatform/webui -run TestScreenshots -screenshots "$PWD/docs/screenshots"
func TestScreenshots(t *testing.T) {
	if *screenshots == "" {
		t.Skip("no folder given by -screenshots")
	}
	b := pagetest.Start(t)
	w := newWorld(t)
	confirmed, _ := busy(w)
	journal := w.platform.ControlURL() + "/"
	save := func(name string, picture []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(*screenshots, name), fewColours(t, picture), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	wide, narrow := pagetest.Reader{Width: 1440, Height: 900}, pagetest.Reader{Width: 360, Height: 720, Scale: 2}

	page := pagetest.Reader{Width: 768, Height: 540, Scale: 2}
	tab := b.Open(t, w.page(nil), page)
	tab.Fill("#amount", "250")
	tab.Click("#top-up .primary")
	w.confirm(w.await(), "250")
	tab.UntilText("Credited")
	save("iframe.png", tab.Shot())

	narrow.Lang, narrow.Dark = "ru", true
	save("iframe-360-ru-dark.png", b.Open(t, w.page(nil), narrow).View())

	tab = b.Open(t, journal, wide)
	tab.Until(`document.querySelector("[data-live=on]")`)
	save("journal.png", tab.View())
	pagetest.Eval[bool](tab, `[...document.querySelectorAll(".row-link")].find(a => a.textContent === "confirmPayment").click() ?? true`)
	tab.Until(`document.querySelector(".drawer")`)
	save("journal-exchange.png", tab.View())

	wide.Lang, wide.Dark = "ru", true
	tab = b.Open(t, journal+"?"+url.Values{"payment": {confirmed}}.Encode(), wide)
	tab.Click(`.arrow[aria-label*="100,51"] .label`)
	tab.Until(`document.querySelector("[data-live=on]")`)
	save("payment-ru-dark.png", tab.Shot())
}

// fewColours writes a picture with at most 256 colours. A page has hardly more, but for the
// edges of its letters, and the file is a third of the size then.
func fewColours(t *testing.T, picture []byte) []byte {
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
		index[c] = uint8(palette.Index(c))
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
