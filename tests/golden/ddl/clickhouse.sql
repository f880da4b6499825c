CREATE DATABASE IF NOT EXISTS `config_history`;
CREATE TABLE IF NOT EXISTS `config_history`.`config_versions` (
  `repository` LowCardinality(String),
  `branch` LowCardinality(String),
  `commit_sha` String,
  `height` UInt32,
  `mainline` Bool,
  `parents` Array(String),
  `author_name` String,
  `author_email` String,
  `author_time` DateTime64(6, 'UTC'),
  `author_zone` Int16,
  `committer_name` String,
  `committer_email` String,
  `committer_time` DateTime64(6, 'UTC'),
  `committer_zone` Int16,
  `message` String,
  `signature` LowCardinality(String),
  `status` LowCardinality(String),
  `problems` String,
  `creates` UInt32,
  `updates` UInt32,
  `deletes` UInt32,
  `digest` String,
  `orphaned` Bool,
  `recorded_at` DateTime64(6, 'UTC'),
  `generation` UInt64
)
ENGINE = ReplacingMergeTree(`generation`)
ORDER BY (`repository`, `branch`, `commit_sha`)
COMMENT 'reconciler history, format 2';
CREATE TABLE IF NOT EXISTS `config_history`.`version_states` (
  `repository` LowCardinality(String),
  `branch` LowCardinality(String),
  `commit_sha` String,
  `store` UUID,
  `seq` UInt64,
  `mainline` Bool,
  `status` LowCardinality(String),
  `problems` String,
  `creates` UInt32,
  `updates` UInt32,
  `deletes` UInt32,
  `digest` String,
  `orphaned` Bool,
  `recorded_at` DateTime64(6, 'UTC'),
  `changed_at` DateTime64(6, 'UTC')
)
ENGINE = ReplacingMergeTree(`seq`)
ORDER BY (`repository`, `branch`, `commit_sha`, `store`);
CREATE TABLE IF NOT EXISTS `config_history`.`host_events` (
  `repository` LowCardinality(String),
  `branch` LowCardinality(String),
  `host` LowCardinality(String),
  `store` UUID,
  `seq` UInt64,
  `happened_at` DateTime64(6, 'UTC'),
  `event` LowCardinality(String),
  `commit_sha` Nullable(String),
  `digest` Nullable(String),
  `duration_ms` Float64,
  `detail` String
)
ENGINE = ReplacingMergeTree
ORDER BY (`host`, `store`, `seq`);
CREATE TABLE IF NOT EXISTS `config_history`.`live_intervals` (
  `repository` LowCardinality(String),
  `branch` LowCardinality(String),
  `host` LowCardinality(String),
  `store` UUID,
  `seq` UInt64,
  `commit_sha` String,
  `digest` String,
  `live_from` DateTime64(6, 'UTC'),
  `live_until` Nullable(DateTime64(6, 'UTC')),
  `ended` LowCardinality(String),
  `generation` UInt64
)
ENGINE = ReplacingMergeTree(`generation`)
ORDER BY (`host`, `store`, `seq`);
