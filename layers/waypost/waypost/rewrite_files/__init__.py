"""Rewrite a message for more recipients than a response holds: from a file in S3 to another.

Each line of the input is a recipient; the first line is the message (a rewrite request without
recipients), unless the request contains it. The output has a line for each recipient, in the same
order: a delivery, or a failure with its reason. A report is written beside the output.

- ``service``  the use case: writes the output part by part, and resumes from a checkpoint
- ``input``    reads recipients from lines
- ``output``   renders parts and writes them as an S3 multipart upload, with its checkpoint
- ``schemas``  the request, the progress and the report
- ``workspace_folder``  the folder of the bucket in which a workspace's files lie
"""
