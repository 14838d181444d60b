/* The order of an epoch. */
#include "pipestill/view.h"

#include <string.h>

/* Fisher and Yates's shuffle, from the end (Durstenfeld 1964). */
void pst_shuffle(const struct pst_selection *selection, uint64_t seed, uint64_t epoch, size_t *order)
{
    memcpy(order, selection->indices, selection->count * sizeof *order);
    struct pst_random random;
    pst_random_start(&random, seed, PST_RANDOM_ORDER, epoch, 0);
    for (size_t left = selection->count; left > 1; left--) {
        size_t chosen = (size_t)pst_random_below(&random, left);
        size_t last = order[left - 1];
        order[left - 1] = order[chosen];
        order[chosen] = last;
    }
}

/* The whole part of a square root. */
static uint64_t whole_root(uint64_t number)
{
    uint64_t root = 0;
    for (uint64_t bit = (uint64_t)1 << 31; bit > 0; bit >>= 1) {
        if ((root | bit) * (root | bit) <= number)
            root |= bit;
    }
    return root;
}

void pst_permutation_start(struct pst_permutation *permutation, uint64_t count, uint64_t seed, uint64_t epoch)
{
    *permutation = (struct pst_permutation){ .count = count, .epoch = (uint32_t)epoch };
    permutation->rows = whole_root(count);
    permutation->columns = (count + permutation->rows - 1) / permutation->rows;
    pst_random_key(seed, PST_RANDOM_REPLAY, permutation->key);
}

/* 64 random bits for a round and one half of the number. */
static uint64_t round_bits(const struct pst_permutation *permutation, uint32_t round, uint64_t half)
{
    uint32_t counter[4] = { round, permutation->epoch, (uint32_t)half, (uint32_t)(half >> 32) };
    uint32_t bits[4];
    pst_philox(counter, permutation->key, bits);
    return (uint64_t)bits[1] << 32 | bits[0];
}

uint64_t pst_permute(const struct pst_permutation *permutation, uint64_t number)
{
    enum { ROUNDS = 8 };
    do {
        uint64_t row = number / permutation->columns, column = number % permutation->columns;
        for (uint32_t round = 0; round < ROUNDS; round += 2) {
            uint64_t bits = round_bits(permutation, round, column);
            row = (row + bits % permutation->rows) % permutation->rows;
            bits = round_bits(permutation, round + 1, row);
            column = (column + bits % permutation->columns) % permutation->columns;
        }
        number = row * permutation->columns + column;
    } while (number >= permutation->count);
    return number;
}
