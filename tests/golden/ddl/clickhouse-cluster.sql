CREATE DATABASE IF NOT EXISTS `config_history` ON CLUSTER `desk-1`;
CREATE TABLE IF NOT EXISTS `config_history`.`config_versions` ON CLUSTER `desk-1` (
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
ENGINE = ReplicatedReplacingMergeTree(`generation`)
ORDER BY (`repository`, `branch`, `commit_sha`)
COMMENT 'reconciler history, format 2';
CREATE TABLE IF NOT EXISTS `config_history`.`version_states` ON CLUSTER `desk-1` (
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
ENGINE = ReplicatedReplacingMergeTree(`seq`)
ORDER BY (`repository`, `branch`, `commit_sha`, `store`);
CREATE TABLE IF NOT EXISTS `config_history`.`host_events` ON CLUSTER `desk-1` (
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
ENGINE = ReplicatedReplacingMergeTree
ORDER BY (`host`, `store`, `seq`);
CREATE TABLE IF NOT EXISTS `config_history`.`live_intervals` ON CLUSTER `desk-1` (
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
ENGINE = ReplicatedReplacingMergeTree(`generation`)
ORDER BY (`host`, `store`, `seq`);
CREATE TABLE IF NOT EXISTS `config_history`.`widget_config` ON CLUSTER `desk-1` (
  `repository` LowCardinality(String),
  `branch` LowCardinality(String),
  `op` LowCardinality(String),
  `height` UInt32,
  `commit_sha` String,
  `committed_at` DateTime64(6, 'UTC'),
  `prune` LowCardinality(String),
  `widget_id` UUID,
  `colour` Nullable(String),
  `label` Nullable(String),
  `weight` Nullable(Float64),
  `ratio` Nullable(Float64),
  `pieces` Nullable(Int64),
  `fragile` Nullable(Bool),
  `note` Nullable(String),
  `parts` Nullable(String),
  `maker_id` Nullable(UUID),
  `status` Nullable(String),
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
ENGINE = ReplicatedReplacingMergeTree
ORDER BY (`repository`, `branch`, `widget_id`, `height`, `commit_sha`);
ALTER TABLE `config_history`.`config_versions` ON CLUSTER `desk-1` MODIFY COMMENT 'reconciler history, format 2';
ALTER TABLE `config_history`.`widget_config` ON CLUSTER `desk-1` ADD COLUMN IF NOT EXISTS `fin\`ish` Nullable(UUID);
ALTER TABLE `config_history`.`widget_config` ON CLUSTER `desk-1` MODIFY COLUMN `pieces` Nullable(Float64);
DROP TABLE `config_history`.`widget_config` ON CLUSTER `desk-1`;
