-- What is this instance called among those of its Aurora cluster?
select null::text as slot, aurora_db_instance_identifier()::text as application
limit 1
