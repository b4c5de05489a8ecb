// Segmented radix select: the largest magnitudes of every layer, all layers at once.
//
// A float's magnitude orders as its 31 bits. `count_high` counts the high 11 of every element a layer, and finds the bin
// that the layer's k-th largest is in. `split` keeps what is above that bin, drops what is below, lists what is in it
// (the candidates) and counts their middle 10 bits; `count_low` counts the low 10 of those in the middle bin. With them
// the k-th largest is known. `mark` keeps the candidates above it, and those equal to it where all of them stay;
// `mark_ties` keeps the first of them where only some do.
//
// Memory bound: 4 B a weight read by `count_high`, 4 read and 1 written by `split`, and 16 B a candidate, of which there
// are a few in a hundred weights for scores of a smooth distribution. Equal scores are all candidates: 25 B a weight.

#include "blocks.cuh"

constexpr int HIGH_BINS = 2048;  // one is infinity's; NaN is above it
constexpr int LOW_BINS = 1024;
constexpr int COPIES = 2;        // of a histogram, for even and odd lanes: fewer of them add to one address
constexpr unsigned MAGNITUDE = 0x7fffffffu;
constexpr unsigned INFINITE = 0x7f800000u;

__device__ inline void clear_counts(unsigned* counts, int bins) {
    for (int k = threadIdx.x; k < COPIES * bins; k += THREADS) counts[k] = 0;
    __syncthreads();
}

__device__ inline void count(unsigned* counts, unsigned bin) {
    atomicAdd(&counts[COPIES * bin + threadIdx.x % COPIES], 1u);
}

// Add a block's counts to its layer's. True in all threads of the last block to do so: it sees the whole layer's.
__device__ inline bool add_counts(
    const unsigned* counts, int bins, unsigned* layer_counts, unsigned* arrived, unsigned blocks
) {
    __syncthreads();
    for (int k = threadIdx.x; k < bins; k += THREADS) {
        const unsigned sum = counts[COPIES * k] + counts[COPIES * k + 1];
        if (sum > 0) atomicAdd(&layer_counts[k], sum);
    }
    __threadfence();
    __syncthreads();
    const bool last = __syncthreads_or(threadIdx.x == 0 && atomicAdd(arrived, 1u) + 1 == blocks);
    if (last) __threadfence();
    return last;
}

// The bin of the `wanted`-th largest, and how many of that bin are wanted; a bin above all where none is.
__device__ inline void choose_bin(
    const unsigned* layer_counts, int bins, unsigned wanted, unsigned* bin, unsigned* left, unsigned* inside,
    unsigned* sums
) {
    const volatile unsigned* counts = layer_counts;  // other blocks wrote them
    const int share = bins / THREADS, top = bins - 1 - (int)threadIdx.x * share;
    unsigned own = 0, total;
    for (int k = 0; k < share; ++k) own += counts[top - k];
    unsigned above = sum_before(own, sums, &total);
    if (wanted == 0) {
        if (threadIdx.x == 0) {
            *bin = (unsigned)bins;
            *left = 0;
            *inside = 0;
        }
        return;
    }
    if (above >= wanted || above + own < wanted) return;
    int k = 0;
    while (above + counts[top - k] < wanted) above += counts[top - k++];
    *bin = (unsigned)(top - k);
    *left = wanted - above;
    *inside = counts[top - k];
}

// Grid: one block a piece.
extern "C" __global__ void count_high(
    const unsigned* scores, long long size, const int* piece_layer, const long long* piece_begin,
    const long long* piece_end, const unsigned* pieces, const unsigned* keep, unsigned* high_counts,
    unsigned* arrived, unsigned* high_bin, unsigned* left, unsigned* inside, unsigned long long* nan_count
) {
    __shared__ unsigned counts[COPIES * HIGH_BINS];
    __shared__ unsigned sums[WARPS + 1];
    clear_counts(counts, HIGH_BINS);
    const int layer = piece_layer[blockIdx.x];
    const long long begin = piece_begin[blockIdx.x], end = piece_end[blockIdx.x];
    Four fours[GROUPS];
    for (int j = 0; j < GROUPS; ++j) fours[j] = read_four(scores, group_start(begin, j), size);
    unsigned nans = 0;
    for (int j = 0; j < GROUPS; ++j) {
        const long long first = group_start(begin, j);
        for (int k = 0; k < 4; ++k) {
            if (first + k < begin || first + k >= end) continue;
            const unsigned magnitude = fours[j].value[k] & MAGNITUDE;
            nans += magnitude > INFINITE;
            count(counts, magnitude >> 20);
        }
    }
    if (nans > 0) atomicAdd(nan_count, (unsigned long long)nans);
    if (add_counts(counts, HIGH_BINS, high_counts + HIGH_BINS * layer, arrived + layer, pieces[layer]))
        choose_bin(
            high_counts + HIGH_BINS * layer, HIGH_BINS, keep[layer], high_bin + layer, left + layer, inside + layer, sums
        );
}

// Grid: one block a piece.
extern "C" __global__ void split(
    const unsigned* scores, long long size, const int* piece_layer, const long long* piece_begin,
    const long long* piece_end, const unsigned* pieces, const long long* offsets, const unsigned* high_bin,
    unsigned char* mask, unsigned* candidate_bits, unsigned* candidate_place, unsigned* candidates,
    unsigned* middle_counts, unsigned* arrived, unsigned* middle_bin, unsigned* left, unsigned* inside
) {
    __shared__ unsigned counts[COPIES * LOW_BINS];
    __shared__ unsigned sums[WARPS + 1];
    __shared__ unsigned base;
    clear_counts(counts, LOW_BINS);
    const int layer = piece_layer[blockIdx.x];
    const long long begin = piece_begin[blockIdx.x], end = piece_end[blockIdx.x], origin = offsets[layer];
    const unsigned chosen = high_bin[layer];
    Four fours[GROUPS];
    for (int j = 0; j < GROUPS; ++j) fours[j] = read_four(scores, group_start(begin, j), size);
    unsigned found = 0;
    for (int j = 0; j < GROUPS; ++j) {
        const long long first = group_start(begin, j);
        unsigned kept = 0;
        for (int k = 0; k < 4; ++k) {
            const unsigned high = (fours[j].value[k] & MAGNITUDE) >> 20;
            kept |= (high > chosen ? 1u : 0u) << (8 * k);
            found += high == chosen && first + k >= begin && first + k < end;
        }
        if (first >= begin && first + 4 <= end) {
            *reinterpret_cast<unsigned*>(mask + first) = kept;
        } else {
            for (int k = 0; k < 4; ++k)
                if (first + k >= begin && first + k < end) mask[first + k] = (unsigned char)(kept >> (8 * k) & 1u);
        }
    }
    unsigned total;
    unsigned place = sum_before(found, sums, &total);
    if (threadIdx.x == 0) base = total > 0 ? atomicAdd(&candidates[layer], total) : 0u;
    __syncthreads();
    place += base;
    for (int j = 0; found > 0 && j < GROUPS; ++j) {
        const long long first = group_start(begin, j);
        for (int k = 0; k < 4; ++k) {
            const unsigned magnitude = fours[j].value[k] & MAGNITUDE;
            if (magnitude >> 20 != chosen || first + k < begin || first + k >= end) continue;
            candidate_bits[origin + place] = magnitude & 0xfffffu;
            candidate_place[origin + place] = (unsigned)(first + k - origin);
            ++place;
            count(counts, magnitude >> 10 & (LOW_BINS - 1));
        }
    }
    if (add_counts(counts, LOW_BINS, middle_counts + LOW_BINS * layer, arrived + layer, pieces[layer]))
        choose_bin(
            middle_counts + LOW_BINS * layer, LOW_BINS, left[layer], middle_bin + layer, left + layer, inside + layer, sums
        );
}

// Grid: some blocks along x, one layer along y.
extern "C" __global__ void count_low(
    const long long* offsets, const unsigned* candidate_bits, const unsigned* candidates, const unsigned* middle_bin,
    unsigned* low_counts, unsigned* arrived, unsigned* low_bin, unsigned* left, unsigned* inside
) {
    __shared__ unsigned counts[COPIES * LOW_BINS];
    __shared__ unsigned sums[WARPS + 1];
    clear_counts(counts, LOW_BINS);
    const int layer = blockIdx.y;
    const unsigned chosen = middle_bin[layer], size = candidates[layer];
    const unsigned* bits = candidate_bits + offsets[layer];
    for (long long k = blockIdx.x * (long long)THREADS + threadIdx.x; k < size; k += (long long)THREADS * gridDim.x)
        if (bits[k] >> 10 == chosen) count(counts, bits[k] & (LOW_BINS - 1));
    if (add_counts(counts, LOW_BINS, low_counts + LOW_BINS * layer, arrived + layer, gridDim.x))
        choose_bin(
            low_counts + LOW_BINS * layer, LOW_BINS, left[layer], low_bin + layer, left + layer, inside + layer, sums
        );
}

// Grid: some blocks along x, one layer along y.
extern "C" __global__ void mark(
    const long long* offsets, const unsigned* candidate_bits, const unsigned* candidate_place,
    const unsigned* candidates, const unsigned* middle_bin, const unsigned* low_bin, const unsigned* left,
    const unsigned* inside, unsigned char* mask
) {
    const int layer = blockIdx.y;
    const long long origin = offsets[layer];
    const unsigned size = candidates[layer];
    const unsigned least = (middle_bin[layer] << 10) + low_bin[layer] + (left[layer] == inside[layer] ? 0u : 1u);
    for (long long k = blockIdx.x * (long long)THREADS + threadIdx.x; k < size; k += (long long)THREADS * gridDim.x)
        if (candidate_bits[origin + k] >= least) mask[origin + candidate_place[origin + k]] = 1;
}

// Grid: one block a layer, which walks it until it has found the ties that stay.
extern "C" __global__ void mark_ties(
    const unsigned* scores, long long size, const long long* offsets, const unsigned* high_bin,
    const unsigned* middle_bin, const unsigned* low_bin, const unsigned* left, const unsigned* inside,
    unsigned char* mask
) {
    __shared__ unsigned sums[WARPS + 1];
    const int layer = blockIdx.x;
    const unsigned wanted = left[layer];
    if (wanted == inside[layer]) return;
    const unsigned tied = (high_bin[layer] << 20) + (middle_bin[layer] << 10) + low_bin[layer];
    const long long end = offsets[layer + 1];
    unsigned seen = 0;
    for (long long start = offsets[layer]; seen < wanted; start = (start / TILE + 1) * TILE) {
        for (int j = 0; j < GROUPS && seen < wanted; ++j) {
            const long long first = group_start(start, j);
            const Four four = read_four(scores, first, size);
            unsigned found = 0, total;
            for (int k = 0; k < 4; ++k)
                found += first + k >= start && first + k < end && (four.value[k] & MAGNITUDE) == tied;
            unsigned rank = seen + sum_before(found, sums, &total);
            for (int k = 0; k < 4; ++k) {
                if (first + k < start || first + k >= end || (four.value[k] & MAGNITUDE) != tied) continue;
                if (rank++ < wanted) mask[first + k] = 1;
            }
            seen += total;
        }
    }
}
