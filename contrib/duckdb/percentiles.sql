-- Percentiles of disks over any number of nodes and any time, from recordings as they are: no server, nothing to load first.
--     duckdb -c ".read contrib/duckdb/percentiles.sql"
-- where records/NODE/*.ndjson.zst are folders of `ebpfmux --run 'biolat --buckets 10' --record …`, or files of records
-- compressed by zstd. Tried with DuckDB 2.0.
--
-- Histograms of all hosts have the same bounds, so they add up, and the percentile is that of all requests: the upper bound of
-- the bucket that it falls in, at most 6.3 % above it.
CREATE OR REPLACE VIEW records AS
SELECT * FROM read_json('records/*/*.ndjson.zst', format = 'newline_delimited', compression = 'zstd', columns = {
    ts: 'TIMESTAMPTZ', host: 'VARCHAR', tool: 'VARCHAR', disk: 'VARCHAR', op: 'VARCHAR', count: 'UBIGINT',
    buckets: 'DOUBLE[][]'});

WITH buckets AS (
    SELECT op, bucket[1] AS upper_us, sum(bucket[2]) AS count
    FROM (SELECT op, unnest(buckets) AS bucket FROM records WHERE tool = 'biolat')
    GROUP BY ALL),
added AS (
    SELECT op, upper_us,
           sum(count) OVER (PARTITION BY op ORDER BY upper_us) AS up_to_here,
           sum(count) OVER (PARTITION BY op) AS requests
    FROM buckets)
SELECT op, any_value(requests) AS requests,
       min(upper_us) FILTER (up_to_here >= 0.50 * requests) AS p50_us,
       min(upper_us) FILTER (up_to_here >= 0.99 * requests) AS p99_us,
       min(upper_us) FILTER (up_to_here >= 0.999 * requests) AS p999_us
FROM added
GROUP BY op
ORDER BY requests DESC;
