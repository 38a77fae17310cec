"""Sources and logs of runs as a storage account of Azure has them: blobs under URLs that we sign."""
