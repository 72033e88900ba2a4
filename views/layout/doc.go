// Package layout draws what surrounds a page.
//
// Shell is the usual frame: side bar, head with breadcrumb, the page as children.
// Editor is the same with a narrow rail and no page scroll. Bare is for pages
// before signing in and for errors.
//
// Every frame holds the parts that scripts and the web layer rely on:
//
//   - #notice, at the top of the page, and #dialog-notice, in the dialog: where an
//     error about a part of a page goes
//   - #dialog inside <dialog id="modal">: where forms are loaded
//   - #toasts: where messages appear
//   - #js-messages: the js.* texts as JSON
//   - body[data-icons]: the address of the icon sprite
package layout
