// Package pinyin tells whether a name in Chinese characters is what somebody typed in Latin letters: "dingdan", "dd", "dingd"
// and "ddan" are all 订单.
//
// Each character is typed as its syllable without a tone, or as the initial of it: "z" or "zh" for 中. The last one may be
// any beginning of its syllable. ü is typed v, as on keyboards, or u. A character that is read in several ways fits all of
// them: chongqing and zhongqing are 重庆. Everything else in a name is typed as it is, whatever the case, and signs between
// letters need not be typed: "ddhz" finds 订单_汇总.
//
// How characters are read is in readings.txt, which is made by the command in tool from the data of Unicode and under the
// licence beside it.
package pinyin
