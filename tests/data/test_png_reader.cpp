#include "data/png_reader.h"

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "tests/data/files.h"
#include "tests/data/png_bytes.h"

using namespace cbnet::data;
using namespace cbnet::test;

namespace {

using Samples = std::vector<std::uint16_t>;

std::vector<int> grey_of(const std::string& bytes) { return decode_png(bytes, "a.png", 1).to_vector<int>(); }

/// v / 65535 of 255, as the PGM reader rounds.
int scaled(int v) { return (v * 255 + 32767) / 65535; }

constexpr int kGrey = 0, kRgb = 2, kPalette = 3, kGreyAlpha = 4, kRgba = 6;

/// A ramp over all values, 64 pixels of `channels`, the last of them opaque where it is alpha.
Samples ramp(std::size_t channels, bool alpha) {
  Samples out;
  for (std::size_t i = 0; i < 64; ++i)
    for (std::size_t c = 0; c < channels; ++c)
      out.push_back(alpha && c + 1 == channels ? 65535 : static_cast<std::uint16_t>(i * 1040 + 7));
  return out;
}

struct Kind {
  int color;
  std::size_t channels;
  bool alpha;
};
constexpr Kind kKinds[] = {{kGrey, 1, false}, {kRgb, 3, false}, {kGreyAlpha, 2, true}, {kRgba, 4, true}};

}  // namespace

TEST_CASE("png: what is no image, by its path") {
  CHECK_INPUT_ERROR(decode_png("\x89PNG\r\n\x1a\n", "a.png", 1),
                    "a.png: expected a valid PNG image; found the end of the file (truncated)");
  const std::string whole = png(8, 8, 8, kGrey, png_rows(ramp(1, false), 8, 8));
  for (std::size_t length = 8; length < whole.size(); ++length)
    CHECK_INPUT_ERROR(decode_png(whole.substr(0, length), "a.png", 1), "a.png: expected ");
  for (const bool interlaced : {false, true}) {
    const std::string rows =
        interlaced ? png_passes(ramp(4, true), 8, 4, 16) : png_rows(ramp(4, true), 32, 16);
    const std::string short_rows = rows.substr(0, rows.size() - 3);
    CHECK_INPUT_ERROR(grey_of(png(8, 8, 16, kRgba, short_rows, "", interlaced)),
                      "expected a valid PNG image");
  }
  CHECK_THROWS_WITH_AS(check_image_size("a.png", 1, 4097),
                       "a.png: expected an image of 1x1 to 4096x4096 pixels; found 4097x1",
                       cbnet::InputError);
}

TEST_CASE("png: samples of 8 and 16 bits are v / 65535, in every kind of file, interlaced or not") {
  for (const int bits : {8, 16}) {
    for (const Kind& kind : kKinds) {
      CAPTURE(bits);
      CAPTURE(kind.color);
      const Samples samples = ramp(kind.channels, kind.alpha);
      std::vector<int> expected;
      for (std::size_t i = 0; i < samples.size(); i += kind.channels)
        expected.push_back(bits == 8 ? samples[i] >> 8 : scaled(samples[i]));
      CHECK(grey_of(png(8, 8, bits, kind.color, png_rows(samples, 8 * kind.channels, bits))) == expected);
      CHECK(grey_of(png(8, 8, bits, kind.color, png_passes(samples, 8, kind.channels, bits), "", true)) ==
            expected);
    }
  }
}

TEST_CASE("png: 1, 2 and 4 bits are scaled to 255, in grey and in a palette") {
  CHECK(grey_of(png(4, 1, 2, kGrey, std::string("\0\x1b", 2))) == std::vector<int>{0, 85, 170, 255});
  CHECK(grey_of(png(2, 1, 4, kGrey, std::string("\0\x19", 2))) == std::vector<int>{17, 153});
  const std::string palette = chunk("PLTE", std::string("\x09\x09\x09\x7e\x7e\x7e\xff\0\0", 9));
  CHECK(grey_of(png(3, 1, 2, kPalette, std::string("\0\x18", 2), palette)) == std::vector<int>{9, 126, 76});
}

TEST_CASE("png: chunks of colour spaces change no sample, be they damaged") {
  const std::string gamma = chunk("gAMA", big_endian(45455));
  const std::string linear = chunk("gAMA", big_endian(100000));
  const std::string srgb = chunk("sRGB", std::string(1, '\0'));
  const std::string profile = chunk("iCCP", std::string("p\0\0nothing that inflates", 24));
  const std::string primaries = chunk("cHRM", std::string(32, '\1'));
  const std::string bits_that_count = chunk("sBIT", "\5");
  for (const int bits : {8, 16}) {
    for (const std::string& extra :
         {gamma, linear, srgb, profile, primaries, bits_that_count, gamma + srgb}) {
      const std::string rows = png_rows({9 * 257, 126 * 257, 200 * 257}, 3, bits);
      CHECK(grey_of(png(3, 1, bits, kGrey, rows, extra)) == std::vector<int>{9, 126, 200});
    }
  }
}

TEST_CASE("png: colour is rounded once, from 16 bits") {
  const Samples samples{1000, 50000, 3, 65535, 65535, 65535, 40000, 300, 65000};
  std::vector<int> expected;
  for (std::size_t i = 0; i < samples.size(); i += 3) {
    const double luma = (19595.0 * samples[i] + 38470.0 * samples[i + 1] + 7471.0 * samples[i + 2]) / 65536;
    expected.push_back(static_cast<int>(std::floor(luma * 255 / 65535 + 0.5)));
  }
  CHECK(grey_of(png(3, 1, 16, kRgb, png_rows(samples, 9, 16))) == expected);
}

TEST_CASE("png: alpha is the drawing where all that can be seen has one colour") {
  const std::vector<int> drawing{0, 64, 255, 1};
  const Samples alphas{0, 64 * 257, 65535, 257};
  for (const int bits : {8, 16}) {
    for (const std::uint16_t ink : {0, 0x4040, 0xffff}) {
      CAPTURE(bits);
      CAPTURE(ink);
      Samples grey, rgb;
      for (const std::uint16_t alpha : alphas) {
        const std::uint16_t shown = alpha == 0 ? 0xffff : ink;  // what cannot be seen may have any colour
        grey.insert(grey.end(), {shown, alpha});
        rgb.insert(rgb.end(), {shown, ink, shown, alpha});
      }
      CHECK(grey_of(png(4, 1, bits, kGreyAlpha, png_rows(grey, 8, bits))) == drawing);
      CHECK(grey_of(png(4, 1, bits, kRgba, png_rows(rgb, 16, bits))) == drawing);
      CHECK(grey_of(png(4, 1, bits, kRgba, png_passes(rgb, 4, 4, bits), "", true)) == drawing);
    }
  }
  // A colour kept multiplied by alpha comes back rounded: 100 at alpha 10 is 4 of 10, and then 102.
  CHECK(grey_of(png(3, 1, 8, kGreyAlpha, std::string("\0\x64\xff\x66\x0a\0\0", 7))) ==
        std::vector<int>{255, 10, 0});
  // A palette and a colour key may be transparent as well.
  const std::string palette =
      chunk("PLTE", std::string("\xff\xff\xff\0\0\0", 6)) + chunk("tRNS", std::string(1, '\0'));
  CHECK(grey_of(png(3, 1, 8, kPalette, std::string("\0\0\1\0", 4), palette)) == std::vector<int>{0, 255, 0});
  const std::string key = chunk("tRNS", std::string("\0\xff", 2));
  CHECK(grey_of(png(3, 1, 8, kGrey, std::string("\0\xff\x05\xff", 4), key)) == std::vector<int>{0, 255, 0});
}

TEST_CASE("png: other transparency is laid on black, in proportion") {
  // Two colours.
  CHECK(grey_of(png(3, 1, 8, kGreyAlpha, std::string("\0\xff\x80\x40\xff\xff\0", 7))) ==
        std::vector<int>{128, 64, 0});
  // One colour, equally transparent everywhere: there is no drawing in alpha.
  CHECK(grey_of(png(2, 1, 8, kGreyAlpha, std::string("\0\xff\x80\xff\x80", 5))) ==
        std::vector<int>{128, 128});
  CHECK(grey_of(png(2, 1, 8, kGreyAlpha, std::string("\0\x40\xff\x40\xff", 5))) == std::vector<int>{64, 64});
  CHECK(grey_of(png(2, 1, 8, kGreyAlpha, std::string("\0\x40\0\x40\0", 5))) == std::vector<int>{0, 0});
  // In 16 bits, rounded once.
  CHECK(grey_of(png(2, 1, 16, kGreyAlpha, png_rows({40000, 30000, 10000, 65535}, 4, 16))) ==
        std::vector<int>{scaled(18311), scaled(10000)});
}

TEST_CASE("png: in colour, each channel as it is, transparency on black or the drawing itself") {
  const auto planes = [](const std::string& bytes, std::int64_t channels) {
    return decode_png(bytes, "a.png", channels).to_vector<int>();
  };
  const std::string two = png(2, 1, 8, kRgb, std::string("\0\x01\x02\x03\xfd\xfe\xff", 7));
  CHECK(planes(two, 3) == std::vector<int>{1, 253, 2, 254, 3, 255});
  CHECK(planes(two, 0) == planes(two, 3));
  const std::string grey = png(2, 1, 8, kGrey, std::string("\0\x05\x06", 3));
  CHECK(planes(grey, 0) == std::vector<int>{5, 6});
  CHECK(planes(grey, 3) == std::vector<int>{5, 6, 5, 6, 5, 6});
  const std::string half = png(2, 1, 8, kRgba, std::string("\0\xff\x40\0\x80\0\0\xff\xff", 9));
  CHECK(planes(half, 3) == std::vector<int>{128, 0, 32, 0, 0, 255});
  const std::string drawing = png(2, 1, 8, kRgba, std::string("\0\xff\0\0\x09\xff\0\0\xff", 9));
  CHECK(planes(drawing, 3) == std::vector<int>{9, 255, 9, 255, 9, 255});
}
