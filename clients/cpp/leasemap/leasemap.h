// The whole client of Leasemap.
#pragma once

#include "leasemap/client.h"
#include "leasemap/election.h"
#include "leasemap/errors.h"
#include "leasemap/lock.h"
#include "leasemap/registry.h"
#include "leasemap/sync_map.h"
