// The best flip of one or two elements: see two_flip_cuda.py.
//
// A block goes through tiles of 64 x 64 Gram entries on and above the diagonal. A thread keeps 4 x 4 of them in
// registers for all subsets of the problem, so every entry is read once; the flips' changes and signs of 64 rows and 64
// columns come through shared memory, CHUNK subsets at a time. Only the least score of a thread's 16 is computed; which
// pair it belongs to is asked where it beats the best known, which soon is seldom.
#include "order.cuh"

#define TILE 64
#define CHUNK 16
#define INFINITE __int_as_float(0x7f800000)

struct Side {
    float delta[CHUNK][TILE];
    float sign[CHUNK][TILE];
};

// Changes and signs of TILE elements from `start`, of `count` subsets; beyond the last element nothing is allowed.
__device__ __forceinline__ void load_side(Side& side, const float* delta, const float* sign, int start, int count, int size) {
    for (int at = threadIdx.x; at < count * TILE; at += blockDim.x) {
        int subset = at / TILE, element = at % TILE;
        bool inside = start + element < size;
        long long from = (long long)subset * size + start + element;
        side.delta[subset][element] = inside ? delta[from] : INFINITE;
        side.sign[subset][element] = inside ? sign[from] : 0.0f;
    }
}

// Twice the Gram entries of this thread: rows row .. row + 3, columns column .. column + 3.
__device__ __forceinline__ void load_entries(float (&entries)[4][4], const float* gram, int row, int column, int size) {
    if (size % 4 == 0 && column < size) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            float4 four = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
            if (row + i < size) four = *reinterpret_cast<const float4*>(gram + (long long)(row + i) * size + column);
            entries[i][0] = 2.0f * four.x;
            entries[i][1] = 2.0f * four.y;
            entries[i][2] = 2.0f * four.z;
            entries[i][3] = 2.0f * four.w;
        }
        return;
    }
#pragma unroll
    for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j)
            entries[i][j] =
                row + i < size && column + j < size ? 2.0f * gram[(long long)(row + i) * size + column + j] : 0.0f;
}

// Rounded as the NumPy twin rounds, (2 s_i s_j G_ij + delta_i) + delta_j: products with 1 and -1 are exact.
template <bool FIXED_SIZE, bool DIAGONAL>
__device__ __forceinline__ float score(float entry, float delta_i, float delta_j, float sign_i, float sign_j, int i, int j) {
    float change = fmaf(entry * sign_i, sign_j, delta_i) + delta_j;
    if (FIXED_SIZE && sign_i == sign_j) change = INFINITE;
    if (DIAGONAL && i == j && !FIXED_SIZE) change = delta_i;
    if (DIAGONAL && i > j) change = INFINITE;
    return change;
}

// Offer the thread's 16 pairs for one subset.
template <bool FIXED_SIZE, bool DIAGONAL>
__device__ __forceinline__ void score_entries(const float (&entries)[4][4], const Side& rows, const Side& columns, int subset,
                                              int row, int column, unsigned long long* best) {
    int in_row = row % TILE, in_column = column % TILE;
    const float4 di = *reinterpret_cast<const float4*>(&rows.delta[subset][in_row]);
    const float4 si = *reinterpret_cast<const float4*>(&rows.sign[subset][in_row]);
    const float4 dj = *reinterpret_cast<const float4*>(&columns.delta[subset][in_column]);
    const float4 sj = *reinterpret_cast<const float4*>(&columns.sign[subset][in_column]);
    const float delta_i[4] = {di.x, di.y, di.z, di.w}, delta_j[4] = {dj.x, dj.y, dj.z, dj.w};
    const float sign_i[4] = {si.x, si.y, si.z, si.w}, sign_j[4] = {sj.x, sj.y, sj.z, sj.w};
    float least = INFINITE;
#pragma unroll
    for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j)
            least = fminf(least, score<FIXED_SIZE, DIAGONAL>(entries[i][j], delta_i[i], delta_j[j], sign_i[i], sign_j[j],
                                                             row + i, column + j));
    unsigned rank = ordered(least);
    bool better = least < INFINITE && rank <= unsigned(*(volatile unsigned long long*)&best[subset] >> 32);
    if (!__any_sync(0xffffffffu, better)) return;
    unsigned key = 0xffffffffu;
#pragma unroll
    for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) {
            float change = score<FIXED_SIZE, DIAGONAL>(entries[i][j], delta_i[i], delta_j[j], sign_i[i], sign_j[j], row + i,
                                                       column + j);
            if (ordered(change) == rank) key = min(key, unsigned(row + i) << 16 | unsigned(column + j));
        }
    unsigned long long found = warp_min_pair(better ? rank : 0xffffffffu, key);
    if (threadIdx.x % 32 == 0) atomicMin(&best[subset], found);
}

template <bool FIXED_SIZE>
__device__ __forceinline__ void sweep(const float* gram, const float* delta, const float* sign, unsigned long long* best,
                                      int size, int restarts, int slices) {
    __shared__ Side rows, columns;
    __shared__ unsigned long long known[CHUNK];
    int problem = blockIdx.x / slices, slice = blockIdx.x % slices;
    gram += (long long)problem * size * size;
    delta += (long long)problem * restarts * size;
    sign += (long long)problem * restarts * size;
    best += (long long)problem * restarts;
    int bands = (size + TILE - 1) / TILE;
    int tiles = bands * (bands + 1) / 2;
    int begin = int((long long)tiles * slice / slices), end = int((long long)tiles * (slice + 1) / slices);
    // The band of rows and the column of tile `begin`, counted along the bands of the upper triangle.
    int band = 0, left = begin;
    while (left >= bands - band) left -= bands - band++;
    int across = band + left;
    int row = int(threadIdx.x / 16) * 4, column = int(threadIdx.x % 16) * 4;
    float entries[4][4], ahead[4][4];
    if (begin < end) load_entries(ahead, gram, band * TILE + row, across * TILE + column, size);
    bool rows_needed = true;
    for (int tile = begin; tile < end; ++tile) {
#pragma unroll
        for (int i = 0; i < 4; ++i)
#pragma unroll
            for (int j = 0; j < 4; ++j) entries[i][j] = ahead[i][j];
        int next_band = across + 1 < bands ? band : band + 1;
        int next_across = across + 1 < bands ? across + 1 : band + 1;
        if (tile + 1 < end) load_entries(ahead, gram, next_band * TILE + row, next_across * TILE + column, size);
        for (int start = 0; start < restarts; start += CHUNK) {
            int count = min(CHUNK, restarts - start);
            __syncthreads();
            if (rows_needed || restarts > CHUNK)
                load_side(rows, delta + (long long)start * size, sign + (long long)start * size, band * TILE, count, size);
            load_side(columns, delta + (long long)start * size, sign + (long long)start * size, across * TILE, count, size);
            if (threadIdx.x < count) known[threadIdx.x] = __ldcg(&best[start + threadIdx.x]);
            __syncthreads();
            for (int subset = 0; subset < count; ++subset) {
                if (band == across)
                    score_entries<FIXED_SIZE, true>(entries, rows, columns, subset, band * TILE + row, across * TILE + column, known);
                else
                    score_entries<FIXED_SIZE, false>(entries, rows, columns, subset, band * TILE + row, across * TILE + column, known);
            }
            __syncthreads();
            if (threadIdx.x < count && known[threadIdx.x] < __ldcg(&best[start + threadIdx.x]))
                atomicMin(&best[start + threadIdx.x], known[threadIdx.x]);
        }
        rows_needed = next_band != band;
        band = next_band;
        across = next_across;
    }
}

extern "C" __global__ void __launch_bounds__(256, 3)
    sweep_any(const float* __restrict__ gram, const float* __restrict__ delta, const float* __restrict__ sign,
              unsigned long long* best, int size, int restarts, int slices) {
    sweep<false>(gram, delta, sign, best, size, restarts, slices);
}

extern "C" __global__ void __launch_bounds__(256, 2)
    sweep_swaps(const float* __restrict__ gram, const float* __restrict__ delta, const float* __restrict__ sign,
                unsigned long long* best, int size, int restarts, int slices) {
    sweep<true>(gram, delta, sign, best, size, restarts, slices);
}

// What the best of every subset stands for.
extern "C" __global__ void unpack(const unsigned long long* __restrict__ best, float* __restrict__ change,
                                  long long* __restrict__ first, long long* __restrict__ second, long long count) {
    long long at = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (at >= count) return;
    unsigned long long found = best[at];
    change[at] = from_ordered(unsigned(found >> 32));
    first[at] = unsigned(found) >> 16;
    second[at] = unsigned(found) & 0xffffu;
}
