// Package unconfigured answers calls for what DolphinScheduler has and this version has not: Azure Data Factory.
// Clients get the error that DolphinScheduler gives where such a thing is not set up, with HTTP 200, after
// their parameters were checked, so that what they do in that case they do here.
//
// Each endpoint is listed in app/boot/testdata/ds-unconfigured.txt, and leaves both places when it is really served.
package unconfigured
