// A step of the local search: see descent_cuda.py. One block for each subset.
#include "order.cuh"

// Carry out the flips found where they lower the objective as float64 has it, and forget them.
extern "C" __global__ void __launch_bounds__(256)
    carry_out(const double* __restrict__ gram, const double* __restrict__ diagonal, const double* __restrict__ rounding,
              const double* __restrict__ unit, unsigned long long* best, double* correlation, float* sign, float* delta,
              int* moved, int size, int restarts) {
    long long subset = blockIdx.x, problem = subset / restarts;
    diagonal += problem * size;
    correlation += subset * size;
    sign += subset * size;
    delta += subset * size;
    unsigned long long found = best[subset];
    int first = int(unsigned(found) >> 16), second = int(unsigned(found) & 0xffffu);
    const double* first_row = gram + (problem * size + first) * size;
    const double* second_row = gram + (problem * size + second) * size;
    double first_sign = sign[first], second_sign = sign[second];
    double change = diagonal[first] - 2.0 * first_sign * correlation[first];
    if (first != second) {
        double other = diagonal[second] - 2.0 * second_sign * correlation[second];
        change = change + other + 2.0 * (first_sign * second_sign * first_row[second]);
    }
    if (from_ordered(unsigned(found >> 32)) == __int_as_float(0x7f800000) || !(change < -rounding[problem])) return;
    __syncthreads();  // all have read what is written now
    if (threadIdx.x == 0) {
        best[subset] = 0xff80000000000000ull;
        atomicAdd(moved, 1);
    }
    for (int i = threadIdx.x; i < size; i += blockDim.x) {
        double value = correlation[i] - first_sign * first_row[i], own = sign[i];
        if (first != second) value -= second_sign * second_row[i];
        if (i == first || i == second) own = -own;
        correlation[i] = value;
        sign[i] = float(own);
        delta[i] = float((diagonal[i] - 2.0 * own * value) / unit[problem]);
    }
}
