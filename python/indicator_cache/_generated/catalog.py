"""Made from the kernels' declarations, not to be edited: `make generate`."""

from __future__ import annotations

from ..spec import Accuracy, IndicatorSpec, Output, Parameter

__all__ = ["BY_NAME", "FINGERPRINT", "VERSION"]

VERSION = "0.1.0"

#: Fingerprint of the declarations: a backend with another one belongs to other files.
FINGERPRINT = 0x848b2748

_CATALOG = (
    IndicatorSpec(
        position=0,
        name='atr',
        title='Average true range',
        group='volatility',
        summary="Wilder's average of the true range.",
        formula='atr[period-1] = (true_range[0] + ... + true_range[period-1]) / period\natr[t] = (atr[t-1] * (period - 1) + true_range[t]) / period',
        source='J. W. Wilder, New Concepts in Technical Trading Systems, Trend Research, 1978, section III',
        reference='the definition, as a loop over the true range',
        gaps='The seed starts at the first bar with a true range; if one of its `period` ranges is missing or infinite, or fewer exist, every result is NaN. Later, a missing range repeats the last result.',
        inputs=('high', 'low', 'close'),
        parameters=(
            Parameter('period', 'integer', 1, 1000000, 14, 'Length of the seed and reciprocal of the smoothing factor, in bars.'),
        ),
        outputs=(
            Output('atr', 'The average range, in the unit of the prices.', 'period - 1', lambda period: period - 1, Accuracy(16.0, 'm(true_range)')),
        ),
        window=None,
        transcendental=False,
        revision=1,
    ),
    IndicatorSpec(
        position=1,
        name='bollinger',
        title='Bollinger bands',
        group='volatility',
        summary='Moving average with bands at a multiple of the standard deviation on either side.',
        formula='middle = sma(x, period)\nstd[t] = sqrt(sum((x[i] - middle[t])^2 for i in t-period+1 .. t) / (period - 1))\nupper = middle + std_factor * std\nlower = middle - std_factor * std',
        source='J. Bollinger, Bollinger on Bollinger Bands, McGraw-Hill, 2001, ch. 7',
        reference='pandas: x.rolling(period).mean() +- std_factor * x.rolling(period).std()',
        gaps='NaN while any of the last `period` bars is missing. With a period of one bar there is a middle, but no deviation.',
        inputs=('x',),
        parameters=(
            Parameter('period', 'integer', 1, 1000000, 20, 'Length of the window, in bars.'),
            Parameter('std_factor', 'float', 0.0, 1000000.0, 2.0, 'Distance of the bands, in sample standard deviations.'),
        ),
        outputs=(
            Output('upper', 'Upper band, in the unit of the input.', 'max(period, 2) - 1', lambda period, std_factor: max(period, 2) - 1, Accuracy(32.0, 'sma(abs(x)) + std_factor * (std + sma(abs(x)) + 2^-484)')),
            Output('middle', 'Mean of the window, in the unit of the input.', 'period - 1', lambda period, std_factor: period - 1, Accuracy(32.0, 'sma(abs(x))')),
            Output('lower', 'Lower band, in the unit of the input.', 'max(period, 2) - 1', lambda period, std_factor: max(period, 2) - 1, Accuracy(32.0, 'sma(abs(x)) + std_factor * (std + sma(abs(x)) + 2^-484)')),
        ),
        window='period',
        transcendental=False,
        revision=1,
    ),
    IndicatorSpec(
        position=2,
        name='dmi',
        title='Directional movement index',
        group='trend',
        summary='Strength of the movement upwards, downwards, and of either direction.',
        formula='up = high[t] - high[t-1], down = low[t-1] - low[t]\nplus_dm = up if up > down and up > 0 else 0, minus_dm = down if down > up and down > 0 else 0\nwilder: y[t] = x[t] / period + (1 - 1 / period) * y[t-1]\nplus_di = 100 * wilder(plus_dm) / wilder(true_range), minus_di = 100 * wilder(minus_dm) / wilder(true_range)\ndx = 100 * abs(plus_di - minus_di) / (plus_di + minus_di)\nadx = wilder(dx)',
        source='J. W. Wilder, New Concepts in Technical Trading Systems, Trend Research, 1978, section IV',
        reference='pandas: ewm(alpha=1/period, adjust=False).mean() of +DM, -DM, true range and dx',
        gaps='Comparisons with a missing bar are false, so both movements are zero there. A missing true range, and a dx of 0 / 0, repeat the last average while the weight of the past goes on decaying.',
        inputs=('high', 'low', 'close'),
        parameters=(
            Parameter('period', 'integer', 1, 1000000, 14, 'Reciprocal of the smoothing factor, in bars.'),
        ),
        outputs=(
            Output('plus_di', 'Upward movement, in percent of the range.', '0', lambda period: 0, Accuracy(32.0, 'plus_di * (m(plus_dm) / wilder(plus_dm) + m(true_range) / wilder(true_range))')),
            Output('minus_di', 'Downward movement, in percent of the range.', '0', lambda period: 0, Accuracy(32.0, 'minus_di * (m(minus_dm) / wilder(minus_dm) + m(true_range) / wilder(true_range))')),
            Output('adx', 'Strength of the trend, from 0 to 100.', '1', lambda period: 1, Accuracy(16.0, '100 * wilder((m(plus_dm) + m(minus_dm)) / (wilder(plus_dm) + wilder(minus_dm))) + m(dx)')),
        ),
        window=None,
        transcendental=False,
        revision=1,
    ),
    IndicatorSpec(
        position=3,
        name='ema',
        title='Exponential moving average',
        group='trend',
        summary='Mean of all prices so far, each weighted by a constant factor less than the next.',
        formula='alpha = 2 / (period + 1)\nema[0] = x[0]\nema[t] = alpha * x[t] + (1 - alpha) * ema[t-1]',
        source='R. G. Brown, Statistical Forecasting for Inventory Control, McGraw-Hill, 1959',
        reference='pandas: x.ewm(span=period, adjust=False).mean()',
        gaps='Missing bars before the first price give NaN. At a later one the last result is repeated, and the weight of the past goes on decaying.',
        inputs=('x',),
        parameters=(
            Parameter('period', 'integer', 1, 1000000, 20, 'Span of the mean, in bars.'),
        ),
        outputs=(
            Output('ema', 'The mean, in the unit of the input.', '0', lambda period: 0, Accuracy(32.0, 'm(x)')),
        ),
        window=None,
        transcendental=False,
        revision=1,
    ),
    IndicatorSpec(
        position=4,
        name='kalman_mean',
        title='Kalman mean',
        group='trend',
        summary='Level of the price behind its noise, by a Kalman filter of one dimension.',
        formula='kalman_mean[0] = x[0], P[0] = R\nK[t] = (P[t-1] + Q) / (P[t-1] + Q + R)\nkalman_mean[t] = kalman_mean[t-1] + K[t] * (x[t] - kalman_mean[t-1])\nP[t] = (1 - K[t]) * (P[t-1] + Q)',
        source='A. C. Harvey, Forecasting, Structural Time Series Models and the Kalman Filter, Cambridge University Press, 1989, ch. 2 and 4',
        reference='the definition, as a loop',
        gaps='NaN at a missing bar. The uncertainty `P` grows by `Q` there, so the next price weighs more.',
        inputs=('x',),
        parameters=(
            Parameter('R', 'float', 1e-12, 1000000000000.0, 0.01, 'Variance of the prices around the level, in the unit of `Q`.'),
            Parameter('Q', 'float', 0.0, 1000000000000.0, 1.0, "Variance of the level's step from bar to bar."),
        ),
        outputs=(
            Output('kalman_mean', 'The level, in the unit of the input.', '0', lambda R, Q: 0, Accuracy(16.0, 's[t] = (1 - K[t]) * s[t-1] + max(abs(x[t]), abs(kalman_mean[t-1]))')),
        ),
        window=None,
        transcendental=False,
        revision=1,
    ),
    IndicatorSpec(
        position=5,
        name='macd',
        title='Moving average convergence/divergence',
        group='momentum',
        summary='Difference of a fast and a slow exponential moving average, with its own average as signal.',
        formula='macd = ema(x, fast) - ema(x, slow)\nsignal = ema(macd, signal)\nhistogram = macd - signal',
        source='G. Appel, The Moving Average Convergence-Divergence Trading Method, Signalert, 1979',
        reference='pandas: m = x.ewm(span=fast, adjust=False).mean() - x.ewm(span=slow, adjust=False).mean(); m.ewm(span=signal, adjust=False).mean()',
        gaps='Missing bars before the first price give NaN. At a later one both averages are repeated, so that the difference is too, and the signal goes on towards it.',
        inputs=('x',),
        parameters=(
            Parameter('fast', 'integer', 1, 1000000, 12, 'Span of the fast average, in bars.'),
            Parameter('slow', 'integer', 1, 1000000, 26, 'Span of the slow average, in bars.'),
            Parameter('signal', 'integer', 1, 1000000, 9, "Span of the signal's average, in bars."),
        ),
        outputs=(
            Output('macd', 'Fast minus slow average, in the unit of the input.', '0', lambda fast, slow, signal: 0, Accuracy(32.0, 'm(x, fast) + m(x, slow)')),
            Output('signal', 'Average of the difference, in the unit of the input.', '0', lambda fast, slow, signal: 0, Accuracy(32.0, 'ema(m(x, fast) + m(x, slow), signal) + m(macd, signal)')),
            Output('histogram', 'Difference minus signal, in the unit of the input.', '0', lambda fast, slow, signal: 0, Accuracy(16.0, 'm(x, fast) + m(x, slow) + ema(m(x, fast) + m(x, slow), signal) + m(macd, signal)')),
        ),
        window=None,
        transcendental=False,
        revision=1,
    ),
    IndicatorSpec(
        position=6,
        name='roc',
        title='Rate of change',
        group='momentum',
        summary='Change of the price over some bars, in percent.',
        formula='roc[t] = (x[t] - x[t-period]) / x[t-period] * 100',
        source='M. J. Pring, Technical Analysis Explained, McGraw-Hill, 1980',
        reference='pandas: x.diff(period) / x.shift(period) * 100',
        gaps='NaN where either of the two bars is missing. A zero price `period` bars ago gives what IEEE division gives: an infinity, or NaN for 0 / 0.',
        inputs=('x',),
        parameters=(
            Parameter('period', 'integer', 1, 1000000, 14, 'Distance of the two prices, in bars.'),
        ),
        outputs=(
            Output('roc', 'The change, in percent.', 'period', lambda period: period, Accuracy(3.5, 'abs(roc)')),
        ),
        window='period + 1',
        transcendental=False,
        revision=1,
    ),
    IndicatorSpec(
        position=7,
        name='rsi',
        title='Relative strength index',
        group='momentum',
        summary='Share of the rises in all recent price changes, from 0 to 100.',
        formula='d[t] = x[t] - x[t-1]\ngain = wilder(max(d, 0)), loss = wilder(max(-d, 0))\nwilder: y[t] = d[t] / period + (1 - 1 / period) * y[t-1], from the first change on\nrsi = 100 * gain / (gain + loss) = 100 - 100 / (1 + gain / loss)',
        source='J. W. Wilder, New Concepts in Technical Trading Systems, Trend Research, 1978, section VI',
        reference='pandas: 100 - 100 / (1 + gain.ewm(alpha=1/period, adjust=False).mean() / loss.ewm(alpha=1/period, adjust=False).mean())',
        gaps='A change with a missing end is missing. There the last result is repeated, and the weight of the past goes on decaying. NaN while no price has changed.',
        inputs=('x',),
        parameters=(
            Parameter('period', 'integer', 1, 1000000, 14, 'Reciprocal of the smoothing factor, in bars.'),
        ),
        outputs=(
            Output('rsi', 'The index, from 0 to 100.', '1', lambda period: 1, Accuracy(32.0, 'rsi * (m(gain) / gain + m(loss) / loss)')),
        ),
        window=None,
        transcendental=False,
        revision=1,
    ),
    IndicatorSpec(
        position=8,
        name='sma',
        title='Simple moving average',
        group='trend',
        summary='Mean of the last prices.',
        formula='sma[t] = (x[t-period+1] + ... + x[t]) / period',
        source='R. D. Edwards and J. Magee, Technical Analysis of Stock Trends, 1948, ch. 36',
        reference='pandas: x.rolling(period).mean()',
        gaps='NaN while any of the last `period` bars is missing.',
        inputs=('x',),
        parameters=(
            Parameter('period', 'integer', 1, 1000000, 20, 'Length of the window, in bars.'),
        ),
        outputs=(
            Output('sma', 'The mean, in the unit of the input.', 'period - 1', lambda period: period - 1, Accuracy(32.0, 'sma(abs(x))')),
        ),
        window='period',
        transcendental=False,
        revision=1,
    ),
    IndicatorSpec(
        position=9,
        name='true_range',
        title='True range',
        group='volatility',
        summary='Range of a bar, extended to the close before it.',
        formula='true_range[t] = max(high[t] - low[t], abs(high[t] - close[t-1]), abs(low[t] - close[t-1]))',
        source='J. W. Wilder, New Concepts in Technical Trading Systems, Trend Research, 1978, section III',
        reference='pandas: concat([h - l, (h - c.shift()).abs(), (l - c.shift()).abs()], axis=1).max(axis=1)',
        gaps='Whichever of the three differences exist take part: the first bar, and the bar after a missing one, give high - low. NaN when none exists.',
        inputs=('high', 'low', 'close'),
        parameters=(
        ),
        outputs=(
            Output('true_range', 'The range, in the unit of the prices.', '0', lambda: 0, Accuracy(1.0, 'true_range')),
        ),
        window='2',
        transcendental=False,
        revision=1,
    ),
    IndicatorSpec(
        position=10,
        name='zscore',
        title='Standard score',
        group='statistics',
        summary='Distance of the price from its mean, in standard deviations.',
        formula='mean = sma(x, window)\nstd[t] = sqrt(sum((x[i] - mean[t])^2 for i in t-window+1 .. t) / (window - 1))\nzscore = (x - mean) / std',
        source='E. Kreyszig, Advanced Engineering Mathematics, Wiley, 1979',
        reference='pandas: (x - x.rolling(window).mean()) / x.rolling(window).std()',
        gaps='NaN while any of the last `window` bars is missing, or all of them are equal, or there is only one.',
        inputs=('x',),
        parameters=(
            Parameter('window', 'integer', 1, 1000000, 100, 'Length of the window, in bars.'),
        ),
        outputs=(
            Output('zscore', 'The distance, in sample standard deviations.', 'max(window, 2) - 1', lambda window: max(window, 2) - 1, Accuracy(32.0, '(sma(abs(x)) + abs(zscore) * (std + sma(abs(x)) + 2^-484)) / std')),
        ),
        window='window',
        transcendental=False,
        revision=1,
    ),
)

#: Every indicator by name.
BY_NAME = {spec.name: spec for spec in _CATALOG}
