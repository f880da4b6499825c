CREATE TABLE IF NOT EXISTS `config_history`.`odd. "table"; --` (
  `repository` LowCardinality(String),
  `branch` LowCardinality(String),
  `op` LowCardinality(String),
  `height` UInt32,
  `commit_sha` String,
  `committed_at` DateTime64(6, 'UTC'),
  `prune` LowCardinality(String),
  `the "key"` UUID,
  `select` Nullable(String),
  `ÄÖ.x` Nullable(Float64),
  `created_at` DateTime64(6, 'UTC'),
  `updated_at` DateTime64(6, 'UTC'),
  `name` String,
  `labels` String,
  `annotations` String,
  `refs` String,
  `path` Nullable(String),
  `line` Nullable(Int64),
  `digest` String,
  `created_commit` String,
  `updated_commit` String
)
ENGINE = ReplacingMergeTree
ORDER BY (`repository`, `branch`, `the "key"`, `height`, `commit_sha`);
