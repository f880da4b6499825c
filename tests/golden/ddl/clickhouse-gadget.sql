CREATE TABLE IF NOT EXISTS `config_history`.`gadget_config` (
  `repository` LowCardinality(String),
  `branch` LowCardinality(String),
  `op` LowCardinality(String),
  `height` UInt32,
  `commit_sha` String,
  `committed_at` DateTime64(6, 'UTC'),
  `prune` LowCardinality(String),
  `gadget_id` UUID,
  `path` Nullable(String),
  `speed` Nullable(Float64),
  `created_at` DateTime64(6, 'UTC'),
  `updated_at` DateTime64(6, 'UTC'),
  `name` String,
  `labels` String,
  `annotations` String,
  `refs` String,
  `declared_path` Nullable(String),
  `line` Nullable(Int64),
  `digest` String,
  `created_commit` String,
  `updated_commit` String
)
ENGINE = ReplacingMergeTree
ORDER BY (`repository`, `branch`, `gadget_id`, `height`, `commit_sha`);
