#include "models/json.h"

#include <limits>

#include "tensor/error.h"

template class nlohmann::basic_json<nlohmann::ordered_map>;

namespace cbnet {
namespace {

constexpr int kMaxLevels = 64;
constexpr int kMaxKeys = 20'000;
constexpr int kMaxValues = 250'000;

/// Counts what a text would make, without making it, and stops where that is too much or no JSON. (The
/// parser's own callback would look through a list again behind each element: seconds for a list of 100,000.)
class Counter : public Json::json_sax_t {
 public:
  bool fits() const { return levels_ <= kMaxLevels && keys_ <= kMaxKeys && values_ <= kMaxValues; }

  bool null() override { return value(); }
  bool boolean(bool) override { return value(); }
  bool number_integer(number_integer_t) override { return value(); }
  bool number_unsigned(number_unsigned_t) override { return value(); }
  bool number_float(number_float_t, const string_t&) override { return value(); }
  bool string(string_t&) override { return value(); }
  bool binary(binary_t&) override { return value(); }
  bool key(string_t&) override { return ++keys_ <= kMaxKeys; }
  bool start_object(std::size_t) override { return start(); }
  bool start_array(std::size_t) override { return start(); }
  bool end_object() override { return end(); }
  bool end_array() override { return end(); }
  bool parse_error(std::size_t, const std::string&, const Json::exception&) override { return false; }

 private:
  bool value() { return ++values_ <= kMaxValues; }
  bool start() { return ++levels_ <= kMaxLevels && value(); }
  bool end() {
    --levels_;
    return true;
  }

  int levels_ = 0, keys_ = 0, values_ = 0;
};

}  // namespace

Json parse_json(const std::string& text, const std::string& source) {
  Counter counter;
  Json::sax_parse(text, &counter);
  if (!counter.fits()) {
    throw InputError(
        source,
        concat("JSON of at most ", kMaxLevels, " levels, ", kMaxKeys, " keys and ", kMaxValues, " values"),
        "more");
  }
  return Json::parse(text);
}

Json json_or_text(const std::string& text) {
  try {
    return parse_json(text);
  } catch (const Json::exception&) {
    return text;
  }
}

void get_whole(const Json& json, std::int64_t& out) {
  const bool fits =
      json.is_number_integer() &&
      (!json.is_number_unsigned() || json.get<std::uint64_t>() <= std::numeric_limits<std::int64_t>::max());
  require(fits, "json", "expected a whole number below 2^63; got ", json.dump().substr(0, 40));
  json.get_to(out);
}

void get_whole(const Json& json, std::vector<std::int64_t>& out) {
  require(json.is_array(), "json", "expected a list of whole numbers; got ", json.dump().substr(0, 40));
  out.clear();
  for (const Json& element : json) get_whole(element, out.emplace_back());
}

}  // namespace cbnet
