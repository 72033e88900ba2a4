package browser

import (
	"context"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// insertText puts text where the cursor is, in one piece. Typing key by key would let an editor close brackets and
// indent lines by itself, so that the text in it is not the text that was meant.
func insertText(text string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, s *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, s, input.InsertText, input.InsertTextParams{Text: text})
		return chromedp.Void{}, err
	}
}

// mouse sends one event of a drag with the left button. The page is told which buttons are down, because a pointer that
// was captured is let go when none is.
func mouse(kind input.DispatchMouseEventType, x, y float64) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, s *chromedp.Target) (chromedp.Void, error) {
		p := input.DispatchMouseEventParams{Type: kind, X: x, Y: y, Button: input.MouseButtonLeft, ClickCount: 1, Buttons: 1}
		if kind == chromedp.MouseReleased {
			p.Buttons = 0
		}
		if kind == chromedp.MouseMoved {
			p.ClickCount = 0
		}
		_, err := cdp.Call(ctx, s, input.DispatchMouseEvent, p)
		return chromedp.Void{}, err
	}
}
