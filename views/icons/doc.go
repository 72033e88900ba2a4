// Package icons draws icons out of one sprite, static/vendor/icons.svg.
//
// An icon is decoration: it is hidden from assistive technology, and the element
// around it carries the words. static/tool/icons.txt and own.svg list the names.
package icons
