// Weights under a mask, and the gradient straight through it with its sum over every layer.
//
// Memory bound: `apply_mask` reads 5 B a weight and writes 4; `straight_through` reads 12 B and writes 4. A piece's sum
// is taken in float64, by threads in a fixed order, and the pieces' sums likewise: the same gradient every time.

#include "blocks.cuh"

// Sum of `value` over the block, in thread 0. `shared` holds WARPS numbers.
__device__ inline double block_sum(double value, double* shared) {
    for (int step = 16; step > 0; step /= 2) value += __shfl_down_sync(ALL_LANES, value, step);
    if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = value;
    __syncthreads();
    double sum = 0.0;
    if (threadIdx.x == 0)
        for (int k = 0; k < WARPS; ++k) sum += shared[k];
    return sum;
}

// Grid: one block a tile.
extern "C" __global__ void apply_mask(
    const unsigned* weights, const unsigned char* mask, unsigned* result, long long size
) {
    const long long begin = blockIdx.x * TILE;
    Four fours[GROUPS];
    for (int j = 0; j < GROUPS; ++j) fours[j] = read_four(weights, group_start(begin, j), size);
    for (int j = 0; j < GROUPS; ++j) {
        const long long first = group_start(begin, j);
        if (first + 4 <= size && (reinterpret_cast<unsigned long long>(mask) & 3u) == 0) {
            const uchar4 kept = *reinterpret_cast<const uchar4*>(mask + first);
            *reinterpret_cast<uint4*>(result + first) = make_uint4(
                kept.x ? fours[j].value[0] : 0u, kept.y ? fours[j].value[1] : 0u,
                kept.z ? fours[j].value[2] : 0u, kept.w ? fours[j].value[3] : 0u
            );
        } else {
            for (int k = 0; k < 4; ++k)
                if (first + k < size) result[first + k] = mask[first + k] ? fours[j].value[k] : 0u;
        }
    }
}

// Grid: one block a piece.
extern "C" __global__ void straight_through(
    const unsigned* gradient, const unsigned* weights, const unsigned* scores, long long size,
    const long long* piece_begin, const long long* piece_end, float* score_gradient, double* piece_sum
) {
    __shared__ double sums[WARPS];
    const long long begin = piece_begin[blockIdx.x], end = piece_end[blockIdx.x];
    Four slopes[GROUPS], values[GROUPS], signs[GROUPS];
    for (int j = 0; j < GROUPS; ++j) {
        const long long first = group_start(begin, j);
        slopes[j] = read_four(gradient, first, size);
        values[j] = read_four(weights, first, size);
        signs[j] = read_four(scores, first, size);
    }
    double sum = 0.0;
    for (int j = 0; j < GROUPS; ++j) {
        const long long first = group_start(begin, j);
        float results[4];
        for (int k = 0; k < 4; ++k) {
            const float product = __uint_as_float(slopes[j].value[k]) * __uint_as_float(values[j].value[k]);
            const float score = __uint_as_float(signs[j].value[k]);
            results[k] = product * (score > 0.0f ? 1.0f : score < 0.0f ? -1.0f : score);  // a NaN stays one
            if (first + k >= begin && first + k < end) sum += (double)product;
        }
        if (first >= begin && first + 4 <= end) {
            *reinterpret_cast<float4*>(score_gradient + first) = make_float4(results[0], results[1], results[2], results[3]);
        } else {
            for (int k = 0; k < 4; ++k)
                if (first + k >= begin && first + k < end) score_gradient[first + k] = results[k];
        }
    }
    const double total = block_sum(sum, sums);
    if (threadIdx.x == 0) piece_sum[blockIdx.x] = total;
}

// Grid: one block a layer.
extern "C" __global__ void sum_pieces(const double* piece_sum, const int* first_piece, double* layer_sum) {
    __shared__ double sums[WARPS];
    double sum = 0.0;
    for (int k = first_piece[blockIdx.x] + threadIdx.x; k < first_piece[blockIdx.x + 1]; k += THREADS) sum += piece_sum[k];
    const double total = block_sum(sum, sums);
    if (threadIdx.x == 0) layer_sum[blockIdx.x] = total;
}
