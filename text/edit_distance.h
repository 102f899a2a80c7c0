// Measures how far a mistyped word is from a known one, for "is … meant?".
#pragma once

#include <cstddef>
#include <string_view>

namespace leasemap::text {

// How many letters must be put in, left out, replaced or swapped with their neighbour to make one word of the other
// (the distance of Damerau and Levenshtein in its restricted form: no letter is touched twice).
size_t EditDistance(std::string_view a, std::string_view b);

}  // namespace leasemap::text
