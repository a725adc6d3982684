SELECT format('CREATE DATABASE %%I TEMPLATE template0', %(name)s::text),
       format('DROP DATABASE IF EXISTS %%I WITH (FORCE)', %(name)s::text)
