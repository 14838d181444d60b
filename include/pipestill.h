/* pipestill.h: everything that a stage needs. Each room's header says what the room is for. */
#ifndef PIPESTILL_H
#define PIPESTILL_H

#include "pipestill/base.h"
#include "pipestill/class_map.h"
#include "pipestill/class_sets.h"
#include "pipestill/cli.h"
#include "pipestill/compact.h"
#include "pipestill/losses.h"
#include "pipestill/metrics.h"
#include "pipestill/neighbours.h"
#include "pipestill/nn.h"
#include "pipestill/pool.h"
#include "pipestill/recording.h"
#include "pipestill/specialists.h"
#include "pipestill/speech.h"
#include "pipestill/stream.h"
#include "pipestill/teacher.h"
#include "pipestill/training.h"
#include "pipestill/transport.h"
#include "pipestill/view.h"

#endif
