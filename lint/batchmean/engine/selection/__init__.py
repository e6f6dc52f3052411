"""What has to be read to judge a loss: functions, then their statements."""
