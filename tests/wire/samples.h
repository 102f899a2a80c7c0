// One message of each kind. The golden test pins their bytes, and the fuzz targets start from them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "peer/core/data/message.h"

namespace leasemap::wire {

// Each field has a value of its own, so that none can be left out or take another's place.
std::vector<std::pair<std::string, core::Message>> Samples();

}  // namespace leasemap::wire
