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
COMMENT 'reconciler history, format 1';
